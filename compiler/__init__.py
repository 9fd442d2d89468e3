"""From syntax tree to typed IR: names, statics, sizes, shapes. No framework is imported here."""
