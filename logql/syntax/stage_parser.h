// stage_parser.h -- the parts of the grammar below an expression: selectors, stages, label filters, pipes.
//
// Use:      each function starts at its first token and leaves the stream behind its last.
// Errors:   parse, complete texts.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "logql/syntax/ast.h"
#include "logql/syntax/token_stream.h"

namespace kvasir::logql {

Result<Selector> parse_selector(TokenStream& tokens);

bool at_line_filter(TokenStream& tokens);
Result<LineFilter> parse_line_filter(TokenStream& tokens);

/// What follows `|`, which is already taken. `unwrap` is not a stage: the caller looks for it first.
using PipedItem = std::variant<Stage, Pipe>;
Result<PipedItem> parse_piped_item(TokenStream& tokens);

/// `first` is the name at its beginning if that was taken already.
Result<LabelFilter> parse_label_filter(TokenStream& tokens, std::optional<Token> first = std::nullopt);

/// From the word after `unwrap` to the end of its filters.
Result<Unwrap> parse_unwrap(TokenStream& tokens);

/// After `(`: names up to and with `)`.
Result<std::vector<std::string>> parse_name_list(TokenStream& tokens);

/// `order`, `sort`, `stats`, `limit`: ours. `word` is taken; empty if what follows shows that it is an ordinary label.
Result<std::optional<Pipe>> parse_pipe(TokenStream& tokens, const Token& word);

/// The value of a NUMBER token. Errors: the text of Go's strconv, without a position.
Result<double> number_value(const std::string& text);

}  // namespace kvasir::logql
