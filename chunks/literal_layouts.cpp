#include "chunks/literal_layouts.h"

#include <algorithm>

#include "common/find_bytes.h"

namespace kvasir::chunks {
namespace {

using Kind = VariableTest::Kind;

constexpr std::size_t kStepsMax = 4096;  // per template; beyond, building its rows is cheaper

class LayoutFinder {
 public:
  LayoutFinder(const TableReader& table, const RowTemplate& shape, std::string_view literal,
               std::vector<LiteralLayout>& layouts)
      : table_(table), shape_(shape), literal_(literal), layouts_(layouts) {
    for (const char c : literal) letters_ |= letter_bit(c);
  }

  bool run() {
    for (std::uint16_t v = 0; v < shape_.columns.size() && !too_many_; ++v) {
      begin_in_fixed(v);
      begin_in_variable(v);
    }
    return !too_many_;
  }

 private:
  static std::uint64_t letter_bit(char c) { return std::uint64_t{1} << (static_cast<unsigned char>(c) & 63); }
  /// False only if the byte is not in the literal. Looked at first, for most borders are settled by it.
  bool may_be_in_literal(char c) const { return (letters_ & letter_bit(c)) != 0; }

  const ColumnReader& column(std::uint16_t variable) const { return table_.column_head(shape_.columns[variable]); }

  bool may_hold(std::uint16_t variable, std::string_view text) const {
    return text.size() <= column(variable).longest() && (char_mask(text) & ~column(variable).mask()) == 0;
  }
  bool may_equal(std::uint16_t variable, std::string_view text) const {
    return text.size() >= column(variable).shortest() && may_hold(variable, text);
  }

  /// The end of the fixed text before variable v is a beginning of the literal.
  void begin_in_fixed(std::uint16_t v) {
    const std::string_view fixed = shape_.fixed[v];
    if (fixed.empty() || !may_be_in_literal(fixed.back())) return;
    const std::size_t most = std::min(fixed.size(), literal_.size() - 1);
    for (std::size_t k = 1; k <= most && !too_many_; ++k) {
      if (fixed[fixed.size() - k] != literal_[0] || fixed.substr(fixed.size() - k) != literal_.substr(0, k)) continue;
      at_variable(v, k);
    }
  }

  /// Variable v ends with the beginning of the literal, and the literal goes on behind it.
  void begin_in_variable(std::uint16_t v) {
    const std::string_view after = shape_.fixed[v + 1u];
    const bool last = v + 1u == shape_.columns.size();
    if (after.empty() ? last : !may_be_in_literal(after[0])) return;
    for (std::size_t k = 1; k < literal_.size() && k <= column(v).longest() && !too_many_; ++k) {
      if (after.empty() ? last : after[0] != literal_[k]) continue;
      const std::string_view head = literal_.substr(0, k);
      if (!may_hold(v, head)) return;  // a longer head holds the same bytes
      tests_.push_back({Kind::kEndsWith, v, head});
      behind_variable(v, k);
      tests_.pop_back();
    }
  }

  /// literal[0, at) lies before variable v; there is more.
  void at_variable(std::uint16_t v, std::size_t at) {
    // Ways that lead nowhere are counted too: there can be very many.
    if (++steps_ > kStepsMax) too_many_ = true;
    if (too_many_) return;
    const std::string_view rest = literal_.substr(at);
    if (may_hold(v, rest)) {
      tests_.push_back({Kind::kBeginsWith, v, rest});
      emit();
      tests_.pop_back();
    }
    for (std::size_t k = 0; k < rest.size() && k <= column(v).longest() && !too_many_; ++k) {
      const std::string_view after = shape_.fixed[v + 1u];
      if (after.empty() ? v + 1u == shape_.columns.size() : after[0] != rest[k]) continue;
      const std::string_view whole = rest.substr(0, k);
      if (!may_equal(v, whole)) continue;
      tests_.push_back({Kind::kEquals, v, whole});
      behind_variable(v, at + k);
      tests_.pop_back();
    }
  }

  /// literal[0, at) ends with variable v; the rest has to begin with the fixed text behind it.
  void behind_variable(std::uint16_t v, std::size_t at) {
    const std::string_view rest = literal_.substr(at);
    const std::string_view fixed = shape_.fixed[v + 1u];
    if (fixed.starts_with(rest)) return emit();
    if (rest.starts_with(fixed) && v + 1u < shape_.columns.size())
      at_variable(static_cast<std::uint16_t>(v + 1), at + fixed.size());
  }

  void emit() {
    if (layouts_.size() >= kLayoutsMax) too_many_ = true;
    else layouts_.push_back(tests_);
  }

  const TableReader& table_;
  const RowTemplate& shape_;
  std::string_view literal_;
  std::vector<LiteralLayout>& layouts_;
  std::uint64_t letters_ = 0;
  LiteralLayout tests_;
  std::size_t steps_ = 0;
  bool too_many_ = false;
};

}  // namespace

bool fixed_text_contains(const RowTemplate& shape, std::string_view literal) {
  return std::any_of(shape.fixed.begin(), shape.fixed.end(), [&](std::string_view fixed) {
    return contains_bytes(fixed, literal);
  });
}

bool find_layouts(const TableReader& table, const RowTemplate& shape, std::string_view literal,
                  std::vector<LiteralLayout>& layouts) {
  return LayoutFinder(table, shape, literal, layouts).run();
}

}  // namespace kvasir::chunks
