"""Operations, statics and constraints."""
