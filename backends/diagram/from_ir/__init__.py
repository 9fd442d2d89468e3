"""From the IR to the columns, links and glyphs of a figure."""
