"""Results of analyses for people: reports and pictures."""
