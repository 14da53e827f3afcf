#include "chunks/pattern_reader.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "chunks/template_values.h"

namespace kvasir::chunks {
namespace {

constexpr std::uint32_t kAbsent = FieldValues::kAbsent;
constexpr std::uint32_t kUnsure = kAbsent - 1;
constexpr std::uint32_t kOpen = kAbsent - 2;  // the capture asked for lies behind the value

/// True if `text` may go on into a needle: a suffix of it is a proper prefix of the needle.
bool may_begin_at_end(std::string_view text, std::string_view needle) {
  for (std::size_t k = text.size() - std::min(text.size(), needle.size() - 1); k < text.size(); ++k) {
    if (needle.starts_with(text.substr(k))) return true;
  }
  return false;
}

/// Where the capture is in the rows of one template.
struct Place {
  enum class Kind { kUnsure, kAbsent, kText, kVariable, kInside };
  Kind kind = Kind::kUnsure;
  std::string_view text;      // kText
  std::size_t variable = 0;   // kVariable, kInside
  std::size_t part = 0;       // kInside: the capture that is open where the variable begins
  bool begins_here = false;   // ... and whether it begins exactly there
};

/// A walk that has come to a variable and goes on inside its values.
class ValueWalk {
 public:
  ValueWalk(std::span<const PatternPart> parts, std::size_t capture, const Place& place, std::string_view behind,
            bool is_last)
      : parts_(parts), capture_(capture), place_(place), behind_(behind), is_last_(is_last) {}

  struct Found {
    std::uint32_t state = kUnsure;  // kAbsent, kUnsure, kOpen, or 0: `text`
    std::string_view text;
    std::size_t part = 0;  // kOpen: the capture that is open behind the value
  };
  Found walk(std::string_view value) const {
    std::size_t begin = 0;
    bool begins_inside = place_.begins_here;
    for (std::size_t part = place_.part; part < parts_.size(); part += 2, begins_inside = true) {
      if (part + 1 == parts_.size()) return open_end(value, begin, begins_inside, part);
      const std::string_view literal = parts_[part + 1].text;
      const std::size_t end = value.find(literal, begin);
      if (end == value.npos) return leave(value, begin, begins_inside, part);
      if (part == capture_) return begins_inside ? Found{0, value.substr(begin, end - begin)} : Found{};
      begin = end + literal.size();
    }
    return {kAbsent, {}};
  }

 private:
  /// The last capture takes the rest of the line.
  Found open_end(std::string_view value, std::size_t begin, bool begins_inside, std::size_t part) const {
    if (part != capture_) return {kAbsent, {}};
    const bool whole = begins_inside && is_last_ && behind_.empty();
    return whole ? Found{0, value.substr(begin)} : Found{};
  }

  /// The literal behind `part` is not inside the value; it may lie over its end, or behind it.
  Found leave(std::string_view value, std::size_t begin, bool begins_inside, std::size_t part) const {
    const std::string_view literal = parts_[part + 1].text;
    const std::string_view rest = value.substr(begin);
    std::string seam(rest.substr(rest.size() - std::min(rest.size(), literal.size() - 1)));
    const std::size_t inside = seam.size();
    seam += behind_.substr(0, literal.size() - 1);
    if (seam.find(literal) < inside) return {};
    const bool seam_is_open = !is_last_ && behind_.size() + 1 < literal.size();
    if (seam_is_open && inside > 0 && may_begin_at_end(seam, literal)) return {};
    if (part != capture_) return {kOpen, {}, part};
    if (!begins_inside) return {};
    const bool ends_here = behind_.starts_with(literal) || (is_last_ && behind_.empty());
    return ends_here ? Found{0, rest} : Found{};
  }

  std::span<const PatternPart> parts_;
  std::size_t capture_;
  const Place& place_;
  std::string_view behind_;  // the fixed text behind the variable
  bool is_last_;             // no variable comes after that
};

/// Walks the pattern over one template.
class TemplateWalk {
 public:
  TemplateWalk(const TableReader& table, const RowTemplate& shape, std::span<const PatternPart> parts,
               std::size_t capture)
      : table_(table), shape_(shape), parts_(parts), capture_(capture) {}

  /// From the beginning of the line.
  Place run() {
    if (parts_[0].is_capture) return go_on(0);
    const std::string& literal = parts_[0].text;
    const std::string_view first = shape_.fixed[0];
    if (first.starts_with(literal)) {
      offset_ = literal.size();
      return go_on(1);
    }
    const bool may_fit = literal.starts_with(first) && !shape_.columns.empty();
    return {.kind = may_fit ? Place::Kind::kUnsure : Place::Kind::kAbsent};
  }
  /// From behind a variable, inside a capture that began before.
  Place run_behind(std::size_t variable, std::size_t part) {
    piece_ = variable + 1;
    knows_begin_ = false;
    return go_on(part);
  }

 private:
  bool has_variable() const { return piece_ < shape_.columns.size(); }
  std::string_view fixed() const { return shape_.fixed[piece_]; }

  Place go_on(std::size_t part) {
    for (; part < parts_.size(); part += 2, knows_begin_ = true) {
      begin_piece_ = piece_;
      begin_offset_ = offset_;
      if (part + 1 == parts_.size()) return to_end(part);
      const std::string_view literal = parts_[part + 1].text;
      for (;;) {
        const std::size_t at = fixed().find(literal, offset_);
        if (at != std::string_view::npos) {
          if (part == capture_) return cut(piece_, at);
          offset_ = at + literal.size();
          break;
        }
        if (!has_variable()) return to_end(part);
        if (may_begin_at_end(fixed().substr(offset_), literal)) return {};
        if (table_.column_head(shape_.columns[piece_]).may_hold(literal[0])) return inside(part);
        ++piece_;
        offset_ = 0;
      }
    }
    return {.kind = Place::Kind::kAbsent};
  }

  Place inside(std::size_t part) const {
    const bool here = knows_begin_ && begin_piece_ == piece_ && begin_offset_ == fixed().size();
    return {.kind = Place::Kind::kInside, .text = {}, .variable = piece_, .part = part, .begins_here = here};
  }

  /// The capture takes the rest of the line, and the pattern ends.
  Place to_end(std::size_t part) const {
    if (part != capture_) return {.kind = Place::Kind::kAbsent};
    return cut(shape_.columns.size(), shape_.fixed.back().size());
  }

  /// The capture ends here.
  Place cut(std::size_t piece, std::size_t offset) const {
    if (!knows_begin_) return {};
    const std::string_view first = shape_.fixed[begin_piece_];
    if (piece == begin_piece_)
      return {.kind = Place::Kind::kText, .text = first.substr(begin_offset_, offset - begin_offset_)};
    const bool one_variable = piece == begin_piece_ + 1 && begin_offset_ == first.size() && offset == 0;
    if (!one_variable) return {};
    return {.kind = Place::Kind::kVariable, .text = {}, .variable = begin_piece_};
  }

  const TableReader& table_;
  const RowTemplate& shape_;
  std::span<const PatternPart> parts_;
  std::size_t capture_;
  std::size_t piece_ = 0;
  std::size_t offset_ = 0;
  std::size_t begin_piece_ = 0;
  std::size_t begin_offset_ = 0;
  bool knows_begin_ = true;
};

class PatternReader {
 public:
  PatternReader(TableReader& table, std::span<const PatternPart> parts, std::size_t capture, FieldValues& out)
      : table_(table), parts_(parts), capture_(capture), out_(out) {}

  bool run() {
    const auto& shapes = table_.templates();
    sources_.resize(shapes.size());
    out_.values.clear();
    out_.row_value.assign(table_.rows(), kAbsent);
    out_.unknown.assign((table_.rows() + 63) / 64, 0);
    for (std::size_t t = 0; t < shapes.size(); ++t) {
      if (shapes[t].rows == 0) continue;
      Place place;
      if (t != 0) place = TemplateWalk(table_, shapes[t], parts_, capture_).run();  // template 0: whole texts
      if (!add_template(t, place)) return false;
    }
    return mark_rows();
  }

 private:
  struct Source {
    bool present = false;                                    // the rows have values of a column
    std::uint16_t column = 0;
    std::uint32_t nth = 0;
    const std::vector<std::uint32_t>* outcomes = nullptr;  // by value
    std::uint32_t outcome = kAbsent;                         // of all rows, unless present
  };

  std::uint32_t add_text(std::string_view text) {
    const auto [it, is_new] = known_.try_emplace(text, static_cast<std::uint32_t>(out_.values.size()));
    if (is_new) out_.values.push_back(text);
    return it->second;
  }

  bool add_template(std::size_t t, Place place) {
    const RowTemplate& shape = table_.templates()[t];
    Source& source = sources_[t];
    // A value that holds no end of the capture: the walk goes on behind it, if all values agree.
    while (place.kind == Place::Kind::kInside) {
      const auto* outcomes = walk_values(shape, place);
      if (outcomes == nullptr) return false;
      if (!outcomes->open_part) {
        set_source(shape, place.variable, *outcomes, source);
        return true;
      }
      place = TemplateWalk(table_, shape, parts_, capture_).run_behind(place.variable, *outcomes->open_part);
    }
    switch (place.kind) {
      case Place::Kind::kText: source.outcome = add_text(place.text); return true;
      case Place::Kind::kAbsent: return true;
      case Place::Kind::kVariable: {
        // A walk that takes every value as it is.
        const auto* outcomes = whole_values(shape.columns[place.variable]);
        if (outcomes != nullptr) set_source(shape, place.variable, *outcomes, source);
        return outcomes != nullptr;
      }
      default: source.outcome = kUnsure; return true;
    }
  }

  struct Outcomes {
    std::vector<std::uint32_t> by_value;
    std::optional<std::size_t> open_part;  // all values are open in this capture
  };

  void set_source(const RowTemplate& shape, std::size_t variable, const Outcomes& outcomes, Source& source) {
    const std::uint16_t c = shape.columns[variable];
    const auto end = shape.columns.begin() + static_cast<std::ptrdiff_t>(variable);
    source = {true, c, static_cast<std::uint32_t>(std::count(shape.columns.begin(), end, c)), &outcomes.by_value, 0};
  }

  /// Calls judge(text) for every distinct text of the column and spreads the outcomes over its values.
  template <class Judge>
  bool spread(std::uint16_t c, std::vector<std::uint32_t>& by_value, Judge judge) {
    const auto loaded = table_.column(c);
    if (!loaded) return false;
    ColumnReader& column = **loaded;
    const bool coded = column.type() == ColumnType::kDictionary;
    std::span<const std::string_view> texts = column.dictionary();
    if (!coded) {
      const auto all = column.all_texts();
      if (!all) return false;
      texts = *all;
    }
    std::vector<std::uint32_t> outcomes;
    outcomes.reserve(texts.size());
    for (const std::string_view text : texts) outcomes.push_back(judge(text));
    if (!coded) {
      by_value = std::move(outcomes);
      return true;
    }
    by_value.reserve(column.count());
    for (const std::uint32_t code : column.codes()) by_value.push_back(outcomes[code]);
    return true;
  }

  const Outcomes* whole_values(std::uint16_t c) {
    const auto [it, is_new] = outcomes_.try_emplace({c, parts_.size(), true, std::string(), false});
    const bool done = !is_new || spread(c, it->second.by_value, [&](std::string_view text) { return add_text(text); });
    return done ? &it->second : nullptr;
  }

  const Outcomes* walk_values(const RowTemplate& shape, const Place& place) {
    const std::uint16_t c = shape.columns[place.variable];
    const std::string_view behind = shape.fixed[place.variable + 1];
    const bool is_last = place.variable + 1 == shape.columns.size();
    const auto [it, is_new] = outcomes_.try_emplace({c, place.part, place.begins_here, std::string(behind), is_last});
    Outcomes& outcomes = it->second;
    if (!is_new) return &outcomes;
    const ValueWalk walk(parts_, capture_, place, behind, is_last);
    bool all_open = true;
    const bool done = spread(c, outcomes.by_value, [&](std::string_view text) {
      const auto found = walk.walk(text);
      if (found.state != kOpen) {
        all_open = false;
        return found.state == 0 ? add_text(found.text) : found.state;
      }
      if (outcomes.open_part.value_or(found.part) != found.part) all_open = false;
      outcomes.open_part = found.part;
      return kUnsure;
    });
    if (!all_open) outcomes.open_part.reset();  // those that are open stay unsure
    return done ? &outcomes : nullptr;
  }

  bool mark_rows() {
    const auto take = [&](std::size_t row, std::uint32_t outcome) {
      if (outcome == kUnsure) out_.unknown[row >> 6] |= std::uint64_t{1} << (row & 63);
      else out_.row_value[row] = outcome;
    };
    const auto ids = table_.template_ids();
    if (!ids) return false;
    for (std::size_t row = 0; row < ids->size(); ++row) {
      if (!sources_[(*ids)[row]].present) take(row, sources_[(*ids)[row]].outcome);
    }
    const bool done = for_each_value<Source>(table_, sources_, [&](std::size_t row, std::size_t t, std::size_t value) {
      take(row, (*sources_[t].outcomes)[value]);
    });
    std::size_t unknown = 0;
    for (const std::uint64_t word : out_.unknown) unknown += static_cast<std::size_t>(std::popcount(word));
    if (unknown == 0) out_.unknown.clear();
    return done && unknown < table_.rows();
  }

  using OutcomeKey =
      std::tuple<std::uint16_t, std::size_t, bool, std::string, bool>;  // column and where the walk enters it

  TableReader& table_;
  std::span<const PatternPart> parts_;
  std::size_t capture_;
  FieldValues& out_;
  std::unordered_map<std::string_view, std::uint32_t> known_;
  std::map<OutcomeKey, Outcomes> outcomes_;
  std::vector<Source> sources_;  // per template
};

}  // namespace

bool read_pattern(TableReader& table, std::span<const PatternPart> parts, std::size_t capture, FieldValues& out) {
  return PatternReader(table, parts, capture, out).run();
}

}  // namespace kvasir::chunks
