// test_lines.h -- seeded log lines of many kinds, some of them damaged, for the tests of this folder.
//
// Lifetime: the views of TestRows point into its own texts; it may be moved, not copied.
#pragma once

#include <deque>
#include <random>
#include <string>
#include <vector>

#include "common/entry.h"

namespace kvasir::chunks {

struct TestRows {
  TestRows() = default;
  TestRows(TestRows&&) = default;
  TestRows(const TestRows&) = delete;

  void add(std::int64_t ts, std::uint64_t sequence, std::string line, const std::vector<LabelView>& metadata = {});

  std::deque<std::string> texts;
  std::deque<std::vector<LabelView>> pairs;
  std::vector<EntryView> views;
};

enum class TestKind { kJson, kLogfmt, kAccess, kPlain, kJsonNested, kOdd };
inline constexpr int kTestKinds = 6;

/// One undamaged line; `ts` may be written into it.
std::string test_line(TestKind kind, std::int64_t ts, std::mt19937_64& random);

/// 1 to 600 rows of one or two kinds, with damage, metadata and gaps.
TestRows random_rows(std::mt19937_64& random);

}  // namespace kvasir::chunks
