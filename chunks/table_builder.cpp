#include "chunks/table_builder.h"

#include <algorithm>
#include <cstring>
#include <random>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "chunks/limits.h"

namespace kvasir::chunks {
namespace {

constexpr std::uint32_t kWholeTemplate = 0;
constexpr std::size_t kContextBytes = 10;
constexpr std::uint32_t kMissesMax = 16;
constexpr std::uint32_t kTryEvery = 32;
constexpr std::size_t kSpareValuesMax = 1 << 18;  // room for so many values is kept from table to table

/// Another seed in each process, so that nobody can aim lines at one bucket.
std::uint64_t process_seed() {
  static const std::uint64_t seed = std::random_device{}() | std::uint64_t{std::random_device{}()} << 32;
  return seed;
}

}  // namespace

std::string column_key(std::string_view fixed, std::string_view previous) {
  std::string_view text = fixed;
  while (!text.empty() && (text.back() == ' ' || text.back() == '"')) text.remove_suffix(1);
  const bool quoted = !fixed.empty() && fixed.back() == '"';
  if (text.size() >= 3 && text.back() == ':' && text[text.size() - 2] == '"') {
    const std::size_t open = text.rfind('"', text.size() - 3);
    if (open != text.npos) return std::string(text.substr(open)) + (quoted ? "\"" : "");
  }
  if (!text.empty() && text.back() == '=') {
    const std::size_t blank = text.find_last_of(" \t,;{([");
    return std::string(text.substr(blank == text.npos ? 0 : blank + 1)) + (quoted ? "\"" : "");
  }
  const std::string_view tail = fixed.substr(fixed.size() - std::min(fixed.size(), kContextBytes));
  if (tail.size() >= 4 || previous.empty()) return std::string(tail);
  return std::string(previous.substr(0, kContextBytes)) + '\0' + std::string(tail);
}

TableBuilder::TableBuilder() : seed_(process_seed()) { start(); }

void TableBuilder::start() {
  template_ids_.clear();
  templates_.assign(1, {std::string(1, '\0'), {0}, 0, {}});
  template_hashes_.assign(1, 0);  // never found by hash
  keep_spare_values();
  columns_.clear();
  column_of_key_.clear();
  index_.assign(256, 0);
  open_column({});
  last_ = misses_ = 0;
}

/// So that a column gets what the column of its number had before it: tables of one kind follow each other.
void TableBuilder::keep_spare_values() {
  for (auto column = columns_.rbegin(); column != columns_.rend(); ++column) {
    column->values.clear();
    spare_values_.push_back(std::move(column->values));
  }
  std::size_t room = 0;
  for (const auto& values : spare_values_) room += values.capacity();
  if (room > kSpareValuesMax) spare_values_.clear();
}

/// Of the least number that is free.
void TableBuilder::open_column(const std::string& key) {
  columns_.push_back({key, {}});
  if (spare_values_.empty()) return;
  columns_.back().values = std::move(spare_values_.back());
  spare_values_.pop_back();
}

void TableBuilder::add(std::string_view text) {
  if (text.size() > kTokenisedLineMax) return add_whole(text);
  // Where lines are of many templates, guessing is given up but for a try now and then.
  if (last_ != kWholeTemplate && (misses_ < kMissesMax || ++misses_ % kTryEvery == 0)) {
    if (is_like_last(text)) {
      misses_ = 0;
      return keep_row(text, last_);
    }
    ++misses_;
  }
  tokenize(text, tokens_);
  if (tokens_.size() > kSlotsMax) return add_whole(text);
  skeleton_.resize(text.size() + tokens_.size());
  char* out = skeleton_.data();
  std::size_t at = 0;
  for (const Token token : tokens_) {
    out = std::copy(text.data() + at, text.data() + token.begin, out);
    *out++ = '\0';
    at = token.end;
  }
  out = std::copy(text.data() + at, text.data() + text.size(), out);
  skeleton_.resize(static_cast<std::size_t>(out - skeleton_.data()));

  const std::uint32_t id = find_template(tokens_.size());
  if (id == kWholeTemplate) return add_whole(text);
  if (templates_[id].rows == 1) learn_approaches(text, templates_[id]);
  last_ = id;
  keep_row(text, id);
}

void TableBuilder::keep_row(std::string_view text, std::uint32_t id) {
  TemplateDraft& found = templates_[id];
  ++found.rows;
  template_ids_.push_back(id);
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    columns_[found.columns[i]].values.push_back(text.substr(tokens_[i].begin, tokens_[i].end - tokens_[i].begin));
  }
}

/// Whether the text has the fixed text of the last template where its variables end; these are then in tokens_. Each
/// variable is cut by the tokeniser itself.
bool TableBuilder::is_like_last(std::string_view text) {
  const TemplateDraft& shape = templates_[last_];
  if (shape.approaches.size() != shape.columns.size() || shape.columns.empty() || text.empty()) return false;
  tokens_.clear();
  const char* fixed = shape.skeleton.data();
  std::size_t at = 0;
  for (const TemplateDraft::Approach& approach : shape.approaches) {
    if (text.size() - at < approach.fixed_bytes || std::memcmp(text.data() + at, fixed, approach.fixed_bytes) != 0)
      return false;
    const std::size_t begin = at + approach.fixed_bytes;
    const auto from = static_cast<std::size_t>(static_cast<std::int64_t>(begin) - approach.lead);
    if (from >= text.size()) return false;
    const std::size_t before = tokens_.size();
    const std::size_t next = tokenize_step(text, from, tokens_);
    if (tokens_.size() == before || tokens_.back().begin != begin || next - tokens_.back().end != approach.rest)
      return false;
    at = tokens_.back().end;
    fixed += approach.fixed_bytes + 1;
  }
  const std::size_t left = shape.skeleton.size() - static_cast<std::size_t>(fixed - shape.skeleton.data());
  return text.size() - at == left && std::memcmp(text.data() + at, fixed, left) == 0;
}

void TableBuilder::learn_approaches(std::string_view text, TemplateDraft& draft) {
  step_tokens_.clear();
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t before = step_tokens_.size();
    const std::size_t next = tokenize_step(text, at, step_tokens_);
    if (step_tokens_.size() != before) {
      const Token token = step_tokens_.back();
      draft.approaches.push_back({static_cast<std::uint32_t>(token.begin - end),
                                  static_cast<std::int32_t>(token.begin - at),
                                  static_cast<std::uint32_t>(next - token.end)});
      end = token.end;
    }
    at = next;
  }
}

bool TableBuilder::add_named(std::span<const std::string_view> names, std::span<const std::string_view> values) {
  if (names.size() > kSlotsMax) return false;
  skeleton_.clear();
  for (const auto name : names) {
    if (name.find('\0') != name.npos) return false;
    skeleton_.append(name);
    skeleton_ += '\0';
  }
  const std::uint32_t id = find_template(names.size());
  if (id == kWholeTemplate) return false;
  template_ids_.push_back(id);
  ++templates_[id].rows;
  for (std::size_t i = 0; i < values.size(); ++i) columns_[templates_[id].columns[i]].values.push_back(values[i]);
  return true;
}

void TableBuilder::add_whole(std::string_view text) {
  template_ids_.push_back(kWholeTemplate);
  ++templates_[kWholeTemplate].rows;
  columns_[0].values.push_back(text);
}

std::uint32_t TableBuilder::find_template(std::size_t variables) {
  const std::uint64_t hash = XXH3_64bits_withSeed(skeleton_.data(), skeleton_.size(), seed_ + variables);
  const std::size_t mask = index_.size() - 1;
  for (std::size_t i = hash & mask; index_[i] != 0; i = (i + 1) & mask) {
    const std::uint32_t id = index_[i] - 1;
    const TemplateDraft& candidate = templates_[id];
    if (template_hashes_[id] == hash && candidate.columns.size() == variables && candidate.skeleton == skeleton_)
      return id;
  }
  return make_template(variables, hash);
}

std::uint32_t TableBuilder::make_template(std::size_t variables, std::uint64_t hash) {
  // A NUL of the text itself would be taken for a variable.
  const auto marks = static_cast<std::size_t>(std::count(skeleton_.begin(), skeleton_.end(), '\0'));
  if (templates_.size() >= kTemplatesMax || marks != variables) return kWholeTemplate;
  if (columns_.size() + variables > kColumnsMax) return kWholeTemplate;
  TemplateDraft draft{skeleton_, {}, 0, {}};
  std::string key;
  std::size_t at = 0;
  for (std::size_t i = 0; i < variables; ++i) {
    const std::size_t mark = skeleton_.find('\0', at);
    key = column_key(std::string_view(skeleton_).substr(at, mark - at), key);
    draft.columns.push_back(column_for(key));
    at = mark + 1;
  }
  templates_.push_back(std::move(draft));
  template_hashes_.push_back(hash);
  if (templates_.size() * 2 > index_.size()) grow_index();
  else {
    const std::size_t mask = index_.size() - 1;
    std::size_t i = hash & mask;
    while (index_[i] != 0) i = (i + 1) & mask;
    index_[i] = static_cast<std::uint32_t>(templates_.size());
  }
  return static_cast<std::uint32_t>(templates_.size() - 1);
}

void TableBuilder::grow_index() {
  index_.assign(index_.size() * 4, 0);
  const std::size_t mask = index_.size() - 1;
  for (std::uint32_t id = 1; id < templates_.size(); ++id) {
    std::size_t i = template_hashes_[id] & mask;
    while (index_[i] != 0) i = (i + 1) & mask;
    index_[i] = id + 1;
  }
}

std::uint16_t TableBuilder::column_for(const std::string& key) {
  const auto [found, is_new] = column_of_key_.try_emplace(key, static_cast<std::uint16_t>(columns_.size()));
  if (!is_new) return found->second;
  open_column(key);
  return found->second;
}

std::vector<std::uint32_t> TableBuilder::rows_of(std::uint16_t column) const {
  std::vector<std::uint32_t> times_in(templates_.size());
  for (std::size_t t = 0; t < templates_.size(); ++t) {
    times_in[t] =
        static_cast<std::uint32_t>(std::count(templates_[t].columns.begin(), templates_[t].columns.end(), column));
  }
  std::vector<std::uint32_t> rows;
  const auto once = [&](std::size_t t) { return times_in[t] == 1 || templates_[t].rows == 0; };
  bool row_for_row = true;
  for (std::size_t t = 0; t < templates_.size(); ++t) row_for_row = row_for_row && once(t);
  if (row_for_row) return rows;
  rows.reserve(columns_[column].values.size());
  for (std::uint32_t row = 0; row < template_ids_.size(); ++row) {
    rows.insert(rows.end(), times_in[static_cast<std::size_t>(template_ids_[row])], row);
  }
  return rows;
}

}  // namespace kvasir::chunks
