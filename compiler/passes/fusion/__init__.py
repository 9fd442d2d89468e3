"""Operations that together are one: attention, norms, branches."""
