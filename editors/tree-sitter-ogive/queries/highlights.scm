; Colours. No node is captured twice: some editors take the first pattern that fits, others the last.

(comment) @comment
(doc_comment) @comment.documentation

; --- keywords

["ogive" "const" "model" "recipe" "where" "as" "param" "state" "update" "init" "keep" "tap" "require" "assume"] @keyword
["extern" "use"] @keyword.import
(block "block" @keyword.function)
(extern "block" @keyword.function)
(kind ["block" "none"] @type.builtin)
["if" "elif" "else"] @keyword.conditional
["repeat" "scan" "with" "along" "reverse" "carry"] @keyword.repeat
(for ["for" "in"] @keyword.repeat)
(clause ["for" "in"] @keyword.repeat)
(with "in" @keyword.repeat)
(recipe "for" @keyword)
["return" "yield"] @keyword.return
["and" "or" "not"] @keyword.operator
(compare operator: "in" @keyword.operator)

; --- names: blocks are written with a capital letter, operations without

(use module: (module) @string.special.path)
((name) @type (#match? @type "^[A-Z]"))
([
  (block name: (identifier) @type)
  (extern name: (identifier) @type)
  (model name: (identifier) @type)
  (recipe name: (identifier) @type)
  (recipe model: (identifier) @type)
  (use_item (identifier) @type)
] (#match? @type "^[A-Z]"))
([
  (block name: (identifier) @function)
  (extern name: (identifier) @function)
  (model name: (identifier) @function)
  (recipe name: (identifier) @function)
  (recipe model: (identifier) @function)
  (use_item (identifier) @function)
] (#match? @function "^[^A-Z]"))
([
  (call func: (name) @function.call)
  (call func: (brackets base: (name) @function.call))
  (stage func: (name) @function.call)
  (stage func: (brackets base: (name) @function.call))
] (#match? @function.call "^[^A-Z]"))
(use alias: (identifier) @string.special.path)

(const name: (identifier) @constant)
(static name: (identifier) @variable.parameter)
(input name: (identifier) @variable.parameter)
(output name: (identifier) @variable.parameter)
(keyword name: (identifier) @variable.parameter)
(param target: (identifier) @property)
(state target: (identifier) @property)
(update target: (identifier) @property)
(path (identifier) @property)
(attribute name: (identifier) @property)
(for label: (identifier) @label)
(repeat label: (identifier) @label)
(scan label: (identifier) @label)
(stage label: (identifier) @label)
(tap target: (identifier) @label)
(kind (identifier) @type.builtin)
(type elem: (identifier) @type.builtin)

; --- values

(constant) @constant.builtin
(number) @constant.numeric
(string) @string
(axis) @string.special.symbol
(axis_size) @constant.numeric

; --- signs

["+" "-" "*" "/" "//" "%" "@" "**" "==" "!=" "<" "<=" ">" ">=" "=" "|>" ">>" "->" "|" "?"] @operator
(augmented operator: _ @operator)
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":" "."] @punctuation.delimiter
"..." @punctuation.special
