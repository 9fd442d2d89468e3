/// The grammar of Ogive for editors. Rules have the names of the compiler's syntax tree (grammar/syntax.py), and the shape of
/// grammar/arch.lark; src/scanner.c finds the ends of lines, bodies, soft keywords, and strings that are patterns.

const commas = (rule) => seq(rule, repeat(seq(",", rule)), optional(","));
const list = (rule) => seq(rule, repeat(seq(",", rule)));
const binary = (left, operators, right) =>
  seq(field("left", left), field("operator", choice(...operators)), field("right", right));
const label = ($) => seq("as", field("label", $.identifier));

module.exports = grammar({
  name: "ogive",

  word: ($) => $.identifier,
  extras: ($) => [/[ \t\r\n\f\uFEFF]/, $.comment, $.doc_comment],
  externals: ($) => [
    $._newline, $._indent, $._dedent,
    $._soft, // stands before a word that is a keyword in this place alone
    $._pattern_start, $._pattern_end, $.axis,
    ")", "]", "}", // whether the scanner is asked between brackets
  ],
  inline: ($) => [$._value, $._dim, $._argument, $._item, $._statement],

  rules: {
    source_file: ($) => seq(optional($.edition), repeat($._declaration)),

    comment: () => token(/#[^\n]*/),
    doc_comment: () => token(prec(1, /##[^\n]*/)),
    identifier: () => /[A-Za-z_][A-Za-z0-9_]*'*/,

    // --- declarations

    edition: ($) => seq("ogive", $.number, $._newline),
    _declaration: ($) => choice($.use, $.const, $.block, $.extern, $.model, $.recipe),

    use: ($) =>
      seq("use", field("module", $.module),
        choice(seq("(", commas($.use_item), ")"), seq("as", field("alias", $.identifier))), $._newline),
    module: () => token(choice(/(\.\.?\/)+[A-Za-z0-9_.\/-]*/, /[A-Za-z_][A-Za-z0-9_.]*/)),
    use_item: ($) => seq(field("name", $.identifier), optional(seq("as", field("alias", $.identifier)))),

    const: ($) =>
      seq("const", field("name", $.identifier), optional($._statics), "=", field("value", $._expression), $._newline),
    block: ($) =>
      seq("block", field("name", $.identifier), optional($._statics), optional($._inputs), "->", $._outputs,
        repeat($.where), ":", $._suite),
    extern: ($) =>
      seq("extern", "block", field("name", $.identifier), optional($._statics), optional($._inputs), "->", $._outputs,
        repeat($.where), "=", field("target", $.string), $._newline),
    model: ($) =>
      seq("model", field("name", $.identifier), "=", field("value", $._expression), repeat($.where), $._newline),
    recipe: ($) =>
      seq("recipe", field("name", $.identifier), "for", field("model", $.identifier), ":",
        choice(seq(commas($._expression), $._newline),
          seq($._newline, $._indent, commas($._expression), $._newline, $._dedent))),
    where: ($) => seq("where", list($._expression)),

    _statics: ($) => seq("[", optional(commas($.static)), "]"),
    static: ($) =>
      seq(field("name", $.identifier), optional(seq(":", choice($._kinds, field("type", $.block_type)))),
        optional(seq("=", field("default", $._expression)))),
    _kinds: ($) => seq(field("kind", $.kind), repeat(seq("|", field("kind", $.kind)))),
    kind: ($) => choice($.identifier, "block", "none"),
    block_type: ($) => seq($._types, "->", $._types),
    _types: ($) => choice($.type, seq("(", optional(commas($.type)), ")")),

    _inputs: ($) => seq("(", optional(commas($.input)), ")"),
    input: ($) => seq(field("name", $.identifier), ":", $.type, optional(alias($._each, $.clause))),
    _outputs: ($) => choice(alias($._output, $.output), seq("(", commas($.output), ")")),
    _output: ($) => $.type,
    output: ($) =>
      choice($.type, seq(field("name", $.identifier), ":", $.type, optional(alias($._each, $.clause)))),
    _each: ($) => seq("for", $._names, "in", $._expression),

    type: ($) => seq(optional(field("elem", $.identifier)), "[", optional(commas($._dim)), "]", optional("?")),
    _dim: ($) => choice($._expression, $.star_dim),
    star_dim: ($) => choice(seq("*", $.identifier), "..."),

    // --- statements

    // the last is read for the sake of texts that are being written, as are `bare` and `augmented`: the compiler refuses them
    _suite: ($) =>
      choice(seq($._newline, $._indent, $.body, $._dedent), seq(alias($._inline, $.body), $._newline), $._newline),
    body: ($) => repeat1($._statement),
    _inline: ($) => $._simple,
    _statement: ($) => choice(seq($._simple, $._newline), $.if, $.for, $.repeat, $.scan),

    if: ($) => seq("if", field("condition", $._expression), ":", $._suite, repeat($.elif), optional($.else)),
    elif: ($) => seq("elif", field("condition", $._expression), ":", $._suite),
    else: ($) => seq("else", ":", $._suite),
    for: ($) => seq("for", $._names, "in", field("iterable", $._expression), optional(label($)), ":", $._suite),
    repeat: ($) =>
      seq($._soft, "repeat", field("count", $._expression), optional(label($)),
        optional(seq("with", list($.with))), ":", $._suite),
    scan: ($) =>
      seq($._soft, "scan", list($.with), "along", field("axis", $._expression), optional("reverse"),
        optional(seq("carry", list($.carry))), optional(label($)), ":", $._suite),
    _names: ($) => list(field("target", $.identifier)),
    with: ($) => seq(field("target", $.identifier), "in", field("iterable", $._expression)),
    carry: ($) =>
      seq(field("target", $.identifier), optional(seq(":", $.type)), "=", field("value", $._expression)),

    _simple: ($) =>
      choice($.assign, $.bare, $.augmented, $.param, $.state, $.update, $.init, $.keep, $.return, $.yield, $.tap,
        $.require, $.assume),
    assign: ($) =>
      choice(seq(field("targets", alias($._list, $.targets)), "=", $._value),
        seq(field("targets", alias($._single, $.targets)), ":", $.type, "=", $._value)),
    _list: ($) => list($._expression),
    _single: ($) => $._expression,
    _value: ($) => field("value", choice($._expression, alias($._several, $.tuple))),
    _several: ($) => seq($._expression, repeat1(seq(",", $._expression))),
    bare: ($) => $._list,
    augmented: ($) => seq($._list, field("operator", token(/(\*\*|\/\/|>>|[-+*\/%@|&])=/)), $._list),
    param: ($) => seq("param", $._weight),
    state: ($) => seq($._soft, "state", $._weight),
    _weight: ($) =>
      seq(field("target", $.identifier), ":", $.type, optional(seq("=", field("init", $._expression))),
        optional(seq("keep", field("keep", $._expression)))),
    update: ($) => seq($._soft, "update", field("target", $.identifier), "=", field("value", $._expression)),
    init: ($) => seq($._soft, "init", list(field("target", $.path)), "=", field("value", $._expression)),
    keep: ($) => seq($._soft, "keep", field("target", $.path), "=", field("value", $._expression)),
    path: ($) => seq($.identifier, repeat(seq(".", $.identifier))),
    return: ($) => seq("return", list($._expression)),
    yield: ($) => seq("yield", field("target", $.identifier), "=", field("value", $._expression)),
    tap: ($) => seq($._soft, "tap", field("target", $.identifier), "=", field("value", $._expression)),
    require: ($) => seq($._soft, "require", list($._expression)),
    assume: ($) => seq($._soft, "assume", list($._expression)),

    // --- expressions, loosest first

    _expression: ($) => choice($._choice, $.pipe, $.compose),
    pipe: ($) => seq(field("head", $._primary), repeat1($.stage)),
    stage: ($) => prec.right(seq("|>", field("func", $._primary), optional(label($)))),
    compose: ($) => seq($._primary, repeat1(seq(">>", $._primary))),

    _choice: ($) => choice($._disjunction, $.conditional),
    conditional: ($) =>
      seq(field("then", $._disjunction), "if", field("condition", $._disjunction), "else", field("orelse", $._choice)),
    _disjunction: ($) => choice($._conjunction, alias($._or, $.binary)),
    _or: ($) => binary($._disjunction, ["or"], $._conjunction),
    _conjunction: ($) => choice($._negation, alias($._and, $.binary)),
    _and: ($) => binary($._conjunction, ["and"], $._negation),
    _negation: ($) => choice($._comparison, alias($._not, $.unary)),
    _not: ($) => seq(field("operator", "not"), field("operand", $._negation)),
    _comparison: ($) => choice($._sum, $.compare),
    compare: ($) =>
      choice(binary($._sum, ["==", "!=", "<", "<=", ">", ">="], $._sum),
        binary($._sum, ["in"], choice($.set, $._sum))),
    _sum: ($) => choice($._product, alias($._add, $.binary)),
    _add: ($) => binary($._sum, ["+", "-"], $._product),
    _product: ($) => choice($._factor, alias($._multiply, $.binary)),
    _multiply: ($) => binary($._product, ["*", "/", "//", "%", "@"], $._factor),
    _factor: ($) => choice($._power, alias($._minus, $.unary)),
    _minus: ($) => seq(field("operator", "-"), field("operand", $._factor)),
    _power: ($) => choice($._primary, alias($._raise, $.binary)),
    _raise: ($) => binary($._primary, ["**"], $._factor),

    _primary: ($) => choice($._atom, $.call, $.brackets, $.attribute),
    call: ($) => seq(field("func", $._primary), "(", optional(commas($._argument)), ")"),
    brackets: ($) => seq(field("base", $._primary), "[", optional(commas($._item)), "]"),
    attribute: ($) => seq(field("base", $._primary), ".", field("name", $.identifier)),
    _argument: ($) => choice($._expression, $.splice, $.keyword),
    splice: ($) => seq("*", $._primary),
    keyword: ($) => seq(field("name", $.identifier), "=", field("value", $._expression)),
    _item: ($) => choice($._argument, $.ellipsis, $.slice),
    ellipsis: () => "...",
    slice: ($) =>
      seq(optional(field("start", $._expression)), ":", optional(field("stop", $._expression)),
        optional(seq(":", optional(field("step", $._expression))))),

    _atom: ($) =>
      choice(alias($.identifier, $.name), $.number, $.string, $.constant, $.parenthesized, $.tuple, $.list,
        $.comprehension),
    number: () => token(seq(choice(/[0-9][0-9_]*(\.[0-9_]*)?/, /\.[0-9]+/), optional(/[eE][+-]?[0-9]+/))),
    constant: () => choice("true", "false", "none", "True", "False", "None"),
    parenthesized: ($) => seq("(", $._expression, ")"),
    tuple: ($) => seq("(", $._expression, ",", optional(commas($._expression)), ")"),
    list: ($) => seq("[", optional(commas($._expression)), "]"),
    comprehension: ($) => seq("[", field("element", $._expression), repeat1($.clause), "]"),
    clause: ($) =>
      seq("for", $._names, "in", field("iterable", $._disjunction),
        optional(seq("if", field("condition", $._disjunction)))),
    set: ($) => seq("{", commas($._expression), "}"),

    // --- patterns in strings, as in compiler/ops/pattern_parse.py

    string: ($) => choice(token(choice(/"[^"\n]*"/, /'[^'\n]*'/)), seq($._pattern_start, $.pattern, $._pattern_end)),
    pattern: ($) => seq(optional($._side), "->", optional($._side)),
    _side: ($) => choice($.operand, seq(optional($.operand), repeat1(seq(",", optional($.operand))))),
    operand: ($) => repeat1($._term),
    _term: ($) => choice($.axis, $.axis_size, $.pack, $.axis_group, $.axis_sum),
    axis_size: () => /[0-9]+/,
    pack: ($) => choice(seq("*", $.axis), "..."),
    axis_group: ($) => seq("(", repeat($._term), ")"),
    axis_sum: ($) => seq("(", $._term, repeat1(seq("+", $._term)), ")"),
  },
});
