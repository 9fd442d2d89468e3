"""What is improved after lowering."""
