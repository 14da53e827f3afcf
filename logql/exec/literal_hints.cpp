#include "logql/exec/literal_hints.h"

#include <algorithm>

#include "logql/pipeline/regex_literals.h"

namespace kvasir::logql {
namespace {

bool changes_line(const Stage& stage) {
  return std::holds_alternative<LineFormat>(stage) || std::holds_alternative<UnpackParser>(stage) ||
         std::holds_alternative<Decolorize>(stage);
}

}  // namespace

std::size_t stages_on_stored_line(std::span<const Stage> stages) {
  return static_cast<std::size_t>(std::find_if(stages.begin(), stages.end(), changes_line) - stages.begin());
}

std::vector<std::string> required_line_literals(std::span<const Stage> stages, bool of_regexes) {
  std::vector<std::string> literals;
  for (const auto& stage : stages.first(stages_on_stored_line(stages))) {
    const auto* filter = std::get_if<LineFilter>(&stage);
    if (filter == nullptr || filter->arguments.size() != 1 || filter->arguments[0].is_ip) continue;
    const std::string& text = filter->arguments[0].text;
    if (filter->op == LineFilterOp::kContains && !text.empty()) literals.push_back(text);
    if (filter->op != LineFilterOp::kRegex || !of_regexes) continue;
    for (auto& literal : required_literals_of_regex(text)) literals.push_back(std::move(literal));
  }
  return literals;
}

}  // namespace kvasir::logql
