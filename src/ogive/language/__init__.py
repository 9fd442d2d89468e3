"""What is known of a program at a place of its text: for editors, notebooks and pages, in none of their protocols."""
