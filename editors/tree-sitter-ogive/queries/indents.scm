; Where a new line begins: Helix reads `@extend` and `@outdent` too, Zed `@end`.

[(block) (if) (elif) (else) (for) (repeat) (scan)] @indent @extend
(return) @extend.prevent-once

[(call) (brackets) (list) (tuple) (comprehension) (use)] @indent
([")" "]"] @outdent @end)
