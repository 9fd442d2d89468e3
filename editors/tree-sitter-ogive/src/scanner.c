// What no table of tokens finds: where lines and bodies end, which words are keywords in one place alone, and which strings
// are patterns. It says what grammar/lexer.py says.

#include <stdint.h>
#include <string.h>

#include "tree_sitter/alloc.h"
#include "tree_sitter/parser.h"

enum { NEWLINE, INDENT, DEDENT, SOFT, PATTERN_START, PATTERN_END, AXIS, PARENTHESIS, BRACKET, BRACE };

#define DEPTH 64
#define WORD 8
#define NESTING 16

typedef struct {
  uint16_t widths[DEPTH];
  uint8_t depth;
  uint8_t quote;  // of the pattern that is being read
} Layout;

void *tree_sitter_ogive_external_scanner_create(void) { return ts_calloc(1, sizeof(Layout)); }

void tree_sitter_ogive_external_scanner_destroy(void *payload) { ts_free(payload); }

unsigned tree_sitter_ogive_external_scanner_serialize(void *payload, char *buffer) {
  Layout *layout = payload;
  size_t size = layout->depth * sizeof(uint16_t);
  buffer[0] = (char)layout->quote;
  memcpy(buffer + 1, layout->widths, size);
  return (unsigned)(size + 1);
}

void tree_sitter_ogive_external_scanner_deserialize(void *payload, const char *buffer, unsigned length) {
  Layout *layout = payload;
  layout->quote = length ? (uint8_t)buffer[0] : 0;
  layout->depth = length ? (uint8_t)((length - 1) / sizeof(uint16_t)) : 0;
  if (layout->depth) memcpy(layout->widths, buffer + 1, layout->depth * sizeof(uint16_t));
}

static bool blank(int32_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == 0xFEFF; }
static bool digit(int32_t c) { return c >= '0' && c <= '9'; }
static bool starts_name(int32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool continues_name(int32_t c) { return starts_name(c) || digit(c); }

static unsigned top(const Layout *layout) { return layout->depth ? layout->widths[layout->depth - 1] : 0; }

// Reads a name into `word`, which is left empty where the name is longer than the keywords that are asked for.
static void read_word(TSLexer *lexer, char *word) {
  unsigned size = 0;
  while (continues_name(lexer->lookahead) || (size && lexer->lookahead == '\'')) {
    if (size < WORD) word[size] = (char)lexer->lookahead;
    size++;
    lexer->advance(lexer, false);
  }
  word[size < WORD ? size : 0] = 0;
}

// Whether the line goes on with `|>`, `>>`, `->` or `where`.
static bool continues_line(TSLexer *lexer) {
  int32_t first = lexer->lookahead;
  if (first == '|' || first == '>' || first == '-') {
    lexer->advance(lexer, false);
    return lexer->lookahead == '>';
  }
  char word[WORD + 1];
  if (first != 'w') return false;
  read_word(lexer, word);
  return strcmp(word, "where") == 0;
}

// Whether the line ahead cannot stand in brackets: then one above it is not closed, and the rest of the text should not suffer.
static bool ends_brackets(TSLexer *lexer, unsigned width) {
  static const char *const DECLARATIONS[] = {"use", "const", "block", "model", "extern", "recipe"};
  static const char *const STATEMENTS[] = {"return", "param", "yield", "elif"};
  char word[WORD + 1];
  if (!starts_name(lexer->lookahead)) return false;
  read_word(lexer, word);
  for (unsigned i = 0; i < 4; i++)
    if (strcmp(word, STATEMENTS[i]) == 0) return true;
  for (unsigned i = 0; i < 6 && !width && lexer->lookahead == ' '; i++)
    if (strcmp(word, DECLARATIONS[i]) == 0) {
      lexer->advance(lexer, false);
      return starts_name(lexer->lookahead);
    }
  return false;
}

// Whether the word ahead is a keyword at the start of a statement: what follows it starts a name or a number, or, where an
// expression follows, that.
static bool is_soft(TSLexer *lexer) {
  static const char *const BINDING[] = {"state", "update", "init", "keep", "tap", "scan"};
  static const char *const ASKING[] = {"repeat", "require", "assume"};
  char word[WORD + 1];
  bool found = false, expression = false, apart = false;
  if (!starts_name(lexer->lookahead)) return false;
  read_word(lexer, word);
  for (unsigned i = 0; i < 6; i++) found |= strcmp(word, BINDING[i]) == 0;
  for (unsigned i = 0; i < 3; i++) expression |= strcmp(word, ASKING[i]) == 0;
  if (!found && !expression) return false;
  for (; lexer->lookahead == ' ' || lexer->lookahead == '\t'; apart = true) lexer->advance(lexer, false);
  int32_t next = lexer->lookahead;
  if (apart && continues_name(next)) return true;
  if (!expression) return false;
  return next == '(' || (apart && (next == '-' || next == '[' || next == '"' || next == '\'' || next == '.'));
}

// Whether the string ahead consists of the words, numbers and signs of patterns, with one arrow and closed parentheses. What
// does not is a plain string: it must not end in an error that reaches beyond it.
static bool is_pattern(TSLexer *lexer, int32_t quote) {
  unsigned open = 0, arrows = 0, dots = 0;
  int32_t before = 0;
  bool starred = false, named = false;  // behind `*`, in a name
  while (lexer->lookahead != quote) {
    int32_t c = lexer->lookahead;
    if (lexer->eof(lexer) || c == '\n') return false;
    lexer->advance(lexer, false);
    if (blank(c)) {
      before = dots = 0;
      named = false;
      continue;
    }
    if (starred && !starts_name(c)) return false;
    starred = c == '*';
    dots = c == '.' ? dots + 1 : 0;
    named = starts_name(c) || (named && (c == '\'' || (digit(c) && continues_name(before))));
    if (c == '.' ? dots > 3 || (dots < 3 && lexer->lookahead != '.')
        : c == '(' ? ++open > NESTING
        : c == ')' ? !open--
        : c == ',' ? open > 0
        : c == '+' ? !open
        : c == '\'' ? !named
        : c == '-' ? lexer->lookahead != '>' || open || ++arrows > 1
        : c == '>' ? before != '-'
                   : c != '*' && !continues_name(c))
      return false;
    before = c;
  }
  return arrows == 1 && !open && !starred;
}

bool tree_sitter_ogive_external_scanner_scan(void *payload, TSLexer *lexer, const bool *valid) {
  Layout *layout = payload;
  if (valid[NEWLINE] && valid[INDENT] && valid[AXIS]) return false;  // all are: the parser looks for a way on after an error
  if (valid[AXIS] || valid[PATTERN_END]) {
    while (blank(lexer->lookahead)) lexer->advance(lexer, true);
    if (valid[PATTERN_END] && lexer->lookahead == layout->quote) {
      lexer->advance(lexer, false);
      layout->quote = 0;
      lexer->result_symbol = PATTERN_END;
      return true;
    }
    if (!valid[AXIS] || !starts_name(lexer->lookahead)) return false;
    while (continues_name(lexer->lookahead)) lexer->advance(lexer, false);
    while (lexer->lookahead == '\'' && layout->quote != '\'') lexer->advance(lexer, false);
    lexer->result_symbol = AXIS;
    return true;
  }

  // from here on a token ends where it starts, except a quotation mark: bodies end with their last statement
  lexer->mark_end(lexer);
  bool new_line = false, comment = false;
  unsigned width = 0;
  for (;;) {
    if (lexer->lookahead == '\n') {
      new_line = true;
      width = 0;
    } else if (lexer->lookahead == '#') {
      comment = true;
      while (lexer->lookahead != '\n' && !lexer->eof(lexer)) lexer->advance(lexer, true);
      continue;
    } else if (blank(lexer->lookahead)) {
      width = lexer->lookahead == '\t' ? (width / 4 + 1) * 4 : width + 1;
    } else {
      break;
    }
    lexer->advance(lexer, true);
  }
  bool end = lexer->eof(lexer);
  if (end) width = 0;
  bool first = new_line || end;  // of a line

  if (valid[NEWLINE] && first) {
    if (continues_line(lexer)) return false;
    lexer->result_symbol = NEWLINE;
    return true;
  }
  if (valid[INDENT] && first && width > top(layout) && layout->depth < DEPTH) {
    layout->widths[layout->depth++] = (uint16_t)width;
    lexer->result_symbol = INDENT;
    return true;
  }
  if (valid[DEDENT] && first && layout->depth && width < top(layout)) {
    layout->depth--;
    lexer->result_symbol = DEDENT;
    return true;
  }
  if (new_line && (valid[PARENTHESIS] || valid[BRACKET] || valid[BRACE]) && ends_brackets(lexer, width)) {
    lexer->result_symbol = NEWLINE;
    return true;
  }
  if (comment) return false;  // it is read first
  int32_t quote = lexer->lookahead;
  if (valid[PATTERN_START] && (quote == '"' || quote == '\'')) {
    lexer->advance(lexer, false);
    lexer->mark_end(lexer);
    if (!is_pattern(lexer, quote)) return false;
    layout->quote = (uint8_t)quote;
    lexer->result_symbol = PATTERN_START;
    return true;
  }
  if (!valid[SOFT]) return false;
  lexer->mark_end(lexer);
  if (!is_soft(lexer)) return false;
  lexer->result_symbol = SOFT;
  return true;
}
