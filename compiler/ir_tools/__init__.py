"""What works on any IR: verifier, comparison, builder, effects, interpreter."""
