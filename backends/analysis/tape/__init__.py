"""A model at numbers as a tape of steps: what domains that compute on numbers share."""
