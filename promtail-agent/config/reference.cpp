#include "promtail-agent/config/reference.h"

#include <fmt/format.h>

#include <deque>
#include <set>

#include "common/number.h"
#include "promtail-agent/config/blocks.h"
#include "promtail-agent/config/flags.h"

namespace kvasir::agent {

namespace {

constexpr std::string_view kIntroduction =
    "# Every key of kvasir-agent's file\n\n"
    "This page is written by the program (`test_agent` checks it and writes it again with `KVASIR_WRITE_DOCS=1`). What "
    "is ours beside\n"
    "Promtail's keys is told with examples in [configuration](configuration.md); stages have [a page](stages.md) of "
    "their own.\n\n"
    "Durations are written as Go writes them (`1h30m`, `250ms`), refresh intervals also as `1d`; sizes as `16KB`, `1MB` "
    "(powers of 1024).\n"
    "A key that no block has, a value of the wrong kind and a key given twice stop the start with line and nearest "
    "known key.\n"
    "`-print-config-stderr` and `/config` show everything in force, secrets as `<secret>`.\n\n";

/// A `|` would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string quoted(std::string_view value) { return value.empty() ? std::string() : fmt::format("`{}`", cell(value)); }

/// One table for each block; a block that stands at several places is described once.
class ReferenceWriter final : public Fields {
 public:
  using Fields::duration;
  using Fields::integer;
  void text(Key key, std::string& value) override { row(key, "text", value); }
  void secret(Key key, std::string& value) override { row(key, "secret", value); }
  void url(Key key, std::string& value) override { row(key, "URL", value); }
  void flag(Key key, bool& value) override { row(key, "bool", value ? "true" : "false"); }
  void integer(Key key, std::int64_t& value) override { row(key, "integer", std::to_string(value)); }
  void number(Key key, double& value) override { row(key, "number", format_go_float(value)); }
  void bytes(Key key, std::uint64_t& value) override { row(key, "size", std::to_string(value)); }
  void duration(Key key, Duration& value, DurationForm) override { row(key, "duration", format_go_duration(value)); }
  void texts(Key key, std::vector<std::string>&) override { row(key, "list of texts", ""); }
  void secret_texts(Key key, std::vector<std::string>&) override { row(key, "list of secrets", ""); }
  void pairs(Key key, std::map<std::string, std::string>&) override { row(key, "map of texts", ""); }
  void secrets(Key key, std::map<std::string, std::vector<std::string>>&) override {
    row(key, "map of lists of secrets", "");
  }
  void yaml(Key key, YamlNode&) override { row(key, "list", ""); }
  void word(Key key, std::string& value, std::span<const std::string_view> words) override {
    std::string kinds;
    for (const std::string_view one : words) kinds += (kinds.empty() ? "" : ", ") + std::string(one);
    row(key, kinds, value);
  }
  void block(Key key, std::string_view type, bool*, const Inside& inside) override {
    row(key, "block " + link(type, std::string(key.name), inside), "");
  }
  void list(Key key, std::string_view type, std::size_t count, const Item& item) override {
    row(key, "list of blocks " + link(type, std::string(key.name), [=](Fields& fields) { item(fields, count); }), "");
  }
  void named(Key key, std::string_view type, const std::vector<std::string>&, const NamedItem& item) override {
    row(key, "map of blocks " + link(type, std::string(key.name), [=](Fields& fields) { item(fields, "name"); }), "");
  }
  void shared(std::string_view title, const Inside& inside) override {
    out_ += fmt::format("| | | | and the {} |\n", link(title, std::string(title), inside));
  }
  void accept(std::initializer_list<std::string_view> names, std::string_view why) override {
    row_of_names(names, fmt::format("accepted without effect: {}", why));
  }
  void refuse(std::initializer_list<std::string_view> names, std::string_view why) override {
    row_of_names(names, fmt::format("stops the start: {}", why));
  }
  void demand(bool, std::string_view, std::string_view) override {}

  /// A section, then those of the blocks in it.
  void section(std::string_view title, const Inside& inside) {
    out_ += fmt::format("## {}\n\n| key | kind | default | meaning |\n| --- | --- | --- | --- |\n", title);
    const std::size_t before = waiting_.size();
    inside(*this);
    out_ += '\n';
    std::deque<Waiting> own(waiting_.begin() + static_cast<std::ptrdiff_t>(before), waiting_.end());
    waiting_.resize(before);
    for (const Waiting& block : own) section(block.title, block.inside);
  }
  const std::string& page() const { return out_; }

 private:
  struct Waiting {
    std::string title;
    Inside inside;
  };

  void row(Key key, std::string_view kind, std::string_view value) {
    out_ += fmt::format("| `{}` | {} | {} | {} |\n", key.name, cell(kind), quoted(value), cell(key.meaning));
  }

  void row_of_names(std::initializer_list<std::string_view> names, std::string_view meaning) {
    std::string keys;
    for (const std::string_view name : names) keys += fmt::format("{}`{}`", keys.empty() ? "" : ", ", name);
    out_ += fmt::format("| {} | | | {} |\n", keys, meaning);
  }

  /// A link to the block's section; the first one makes it.
  std::string link(std::string_view type, std::string title, const Inside& inside) {
    const auto [known, fresh] = titles_.emplace(type, title);
    if (fresh) {
      int same = 0;
      for (const auto& [other, taken] : titles_) same += taken == title && other != type ? 1 : 0;
      if (same > 0) known->second = title + fmt::format(" {}", same + 1);
      waiting_.push_back({known->second, inside});
    }
    std::string anchor;
    for (const char c : known->second) anchor += c == ' ' ? '-' : static_cast<char>(std::tolower(c));
    return fmt::format("[{}](#{})", known->second, anchor);
  }

  std::string out_;
  std::map<std::string, std::string, std::less<>> titles_;  // by type
  std::deque<Waiting> waiting_;
};

}  // namespace

std::string configuration_reference() {
  Config config;
  ClientConfig client;
  ConfigFile file{config, client};
  ReferenceWriter writer;
  writer.section("The file", [&](Fields& fields) { describe_config(fields, file); });
  std::string page = std::string(kIntroduction) + writer.page();
  page += "## Flags\n\nA flag stands for a key and wins over the file.\n\n```\n" + flags_usage() + "```\n";
  return page;
}

}  // namespace kvasir::agent
