; What can be folded away.

[(block) (extern) (recipe) (if) (elif) (else) (for) (repeat) (scan) (call) (brackets) (list) (use)] @fold
