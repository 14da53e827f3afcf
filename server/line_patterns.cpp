#include "server/line_patterns.h"

#include <algorithm>

namespace kvasir::server {
namespace {

constexpr std::string_view kPlace = "<_>";
constexpr std::string_view kSeparators = " \t=:,;\"'()[]{}|";

bool is_separator(char c) { return kSeparators.find(c) != std::string_view::npos; }

/// A token that is a number, an id or the like is never what names a pattern.
bool varies_by_nature(std::string_view token) {
  return std::any_of(token.begin(), token.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_word(std::string_view token) { return !is_separator(token.front()); }

/// `took <_> <_>` stays, `<_><_>` and `<_>.<_>` inside one word become one place.
std::string joined(const std::vector<std::string>& tokens) {
  std::string out;
  for (const auto& token : tokens) {
    if (token == kPlace && out.ends_with(kPlace)) continue;
    out += token;
  }
  return out;
}

}  // namespace

std::vector<std::string_view> pattern_tokens(std::string_view line) {
  std::vector<std::string_view> tokens;
  for (std::size_t at = 0; at < line.size();) {
    std::size_t end = at;
    const bool separator = is_separator(line[at]);
    while (end < line.size() && is_separator(line[end]) == separator) ++end;
    tokens.push_back(line.substr(at, end - at));
    at = end;
  }
  return tokens;
}

void PatternMiner::add(const logql::Streams& streams) {
  for (const auto& stream : streams.streams) {
    for (const auto& entry : stream.entries) {
      const auto level = entry.structured_metadata.get("detected_level");
      add_line(entry.line, level ? *level : stream.labels.value_or_empty("level"), entry.timestamp);
    }
  }
}

PatternMiner::Cluster* PatternMiner::find(Group& group, const std::vector<std::string_view>& tokens) {
  const auto [begin, end] = group.by_length.equal_range(tokens.size());
  Cluster* best = nullptr;
  double best_share = kSimilarity;
  for (auto at = begin; at != end; ++at) {
    const auto& known = at->second.tokens;
    std::size_t same = 0;
    std::size_t words = 0;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (!is_word(tokens[i])) continue;
      ++words;
      same += known[i] == tokens[i] || known[i] == kPlace ? 1 : 0;
    }
    const double share = words == 0 ? 0 : static_cast<double>(same) / static_cast<double>(words);
    if (share >= best_share) best_share = share, best = &at->second;
  }
  return best;
}

void PatternMiner::add_line(std::string_view line, std::string_view level, TimestampNs timestamp) {
  if (line.size() > kPatternLineBytesMax) return;
  const auto tokens = pattern_tokens(line);
  if (tokens.size() < kTokensMin || tokens.size() > kTokensMax) return;
  auto& group = groups_.try_emplace(std::string(level)).first->second;
  Cluster* cluster = find(group, tokens);
  if (cluster == nullptr) {
    if (group.by_length.size() >= kClustersMax) return;
    cluster = &group.by_length.emplace(tokens.size(), Cluster{})->second;
    for (const auto token : tokens)
      cluster->tokens.emplace_back(is_word(token) && varies_by_nature(token) ? kPlace : token);
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (cluster->tokens[i] != tokens[i]) cluster->tokens[i] = kPlace;
  }
  const std::int64_t step = step_.count();
  const std::int64_t start = timestamp.value - ((timestamp.value % step) + step) % step;
  ++cluster->samples[start / 1'000'000'000];
  ++cluster->total;
}

std::vector<LinePattern> PatternMiner::patterns() const {
  std::vector<LinePattern> out;
  for (const auto& [level, group] : groups_) {
    for (const auto& [length, cluster] : group.by_length)
      out.push_back({joined(cluster.tokens), level, cluster.samples, cluster.total});
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.total > b.total; });
  return out;
}

}  // namespace kvasir::server
