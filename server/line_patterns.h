// line_patterns.h -- finds the templates behind lines: words that stay and places that vary, in the manner of Drain.
//
// Shape:    a line is cut into tokens (spaces and punctuation stay beside them); lines of one length and level whose
//           tokens agree in at least kSimilarity of the places share a pattern, and where they differ stands `<_>`.
//           Adjacent places melt into one.
// Limits:   kTokensMin..kTokensMax tokens, kPatternLineBytesMax per line, kClustersMax per level; other lines are left
//           out.
// Threads:  one miner per thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/time.h"
#include "logql/query_result.h"

namespace kvasir::server {

inline constexpr std::size_t kTokensMin = 2;
inline constexpr std::size_t kTokensMax = 80;
inline constexpr std::size_t kPatternLineBytesMax = 3000;
inline constexpr std::size_t kClustersMax = 300;
inline constexpr double kSimilarity = 0.5;

struct LinePattern {
  std::string text;
  std::string level;
  std::map<std::int64_t, std::uint64_t> samples;  // start of the step in Unix seconds -> lines
  std::uint64_t total = 0;
};

/// Words and the separators between them, in order; joined they are the line.
std::vector<std::string_view> pattern_tokens(std::string_view line);

class PatternMiner {
 public:
  explicit PatternMiner(Duration step) : step_(step) {}

  /// Streams of a query with categorised labels (detected_level is read from the metadata).
  void add(const logql::Streams& streams);
  void add_line(std::string_view line, std::string_view level, TimestampNs timestamp);
  /// By total, largest first.
  std::vector<LinePattern> patterns() const;

 private:
  struct Cluster {
    std::vector<std::string> tokens;   // "<_>" where lines differ
    std::map<std::int64_t, std::uint64_t> samples;
    std::uint64_t total = 0;
  };
  struct Group {                       // one level
    std::multimap<std::size_t, Cluster> by_length;
  };

  Cluster* find(Group& group, const std::vector<std::string_view>& tokens);

  Duration step_;
  std::map<std::string, Group, std::less<>> groups_;
};

}  // namespace kvasir::server
