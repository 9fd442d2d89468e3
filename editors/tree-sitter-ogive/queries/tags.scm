; What a file declares, for lists of symbols.

(block name: (identifier) @name) @definition.function
(extern name: (identifier) @name) @definition.function
(model name: (identifier) @name) @definition.class
(recipe name: (identifier) @name) @definition.function
(const name: (identifier) @name) @definition.constant
