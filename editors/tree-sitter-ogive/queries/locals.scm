; Which names belong together inside of a block.

(block) @local.scope
(comprehension) @local.scope

(static name: (identifier) @local.definition)
(input name: (identifier) @local.definition)
(targets (name) @local.definition)
(targets (tuple (name) @local.definition))
(param target: (identifier) @local.definition)
(state target: (identifier) @local.definition)
(yield target: (identifier) @local.definition)
(carry target: (identifier) @local.definition)
(with target: (identifier) @local.definition)
(for target: (identifier) @local.definition)
(clause target: (identifier) @local.definition)

(name) @local.reference
