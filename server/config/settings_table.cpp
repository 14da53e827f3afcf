#include "server/config/settings_table.h"

#include <algorithm>

#include "common/nearest_word.h"
#include "common/number.h"
#include "common/url_secrets.h"

namespace kvasir::server {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

Unexpected cannot_read(const std::string& text, std::string_view as) {
  return fail(ErrorCode::kInvalidArgument, "cannot read \"" + text + "\" as " + std::string(as));
}

template <class T>
Result<void> read_unsigned(const std::string& text, T* out) {
  const auto value = parse_uint64(text);
  if (!value || *value > std::numeric_limits<T>::max()) return cannot_read(text, "number");
  *out = static_cast<T>(*value);
  return {};
}

Result<void> read_duration(const std::string& text, Duration* out) {
  const bool negative = text.starts_with('-');
  const auto value = parse_duration(negative ? std::string_view(text).substr(1) : std::string_view(text));
  if (!value) return cannot_read(text, "duration");
  *out = negative ? -*value : *value;
  return {};
}

/// The reference programs count 1 KB as 1024 everywhere in their configuration.
Result<void> read_bytes(std::string text, BytesTarget out) {
  const std::string as_given = text;
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (text.size() > 2 && text.ends_with("IB")) text.erase(text.size() - 2, 1);
  if (text.size() > 1 && text.ends_with('B') && std::isalpha(static_cast<unsigned char>(text[text.size() - 2])))
    text.pop_back();
  std::uint64_t unit = 1;
  static constexpr std::string_view kUnits = "KMGTP";
  if (const auto at = text.empty() ? std::string_view::npos : kUnits.find(text.back()); at != std::string_view::npos) {
    unit = std::uint64_t{1} << (10 * (at + 1));
    text.pop_back();
  } else if (text.ends_with('B')) {
    text.pop_back();
  }
  while (text.ends_with(' ')) text.pop_back();
  const auto value = parse_go_float(text);
  if (!value || !(*value >= 0) || *value * static_cast<double>(unit) > 9e18)
    return cannot_read(as_given, "size in bytes");
  *out.bytes = static_cast<std::uint64_t>(*value * static_cast<double>(unit));
  return {};
}

std::string print_bytes(std::uint64_t bytes) {
  static constexpr std::string_view kUnits[] = {"B", "KB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  while (unit + 1 < std::size(kUnits) && bytes != 0 && bytes % 1024 == 0) bytes /= 1024, ++unit;
  return std::to_string(bytes) + std::string(kUnits[unit]);
}

std::string print_list(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const auto& item : list) out += (out.size() > 1 ? ", " : "") + yaml_scalar(item);
  return out + "]";
}

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= text.size() && !text.empty();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    if (comma > at) out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

Result<bool> parse_bool(const std::string& text) {
  YamlNode node;
  node.kind = YamlNode::Kind::kScalar;
  node.plain = true;
  node.text = text == "1" ? "true" : text == "0" ? "false" : text;
  if (const auto value = node.as_bool()) return *value;
  return cannot_read(text, "true or false");
}

Result<void> read_scalar(const SettingTarget& target, const std::string& text) {
  return std::visit(
      Overloaded{
          [&](bool* out) -> Result<void> {
            KVASIR_TRY(*out, parse_bool(text));
            return {};
          },
          [&](std::int64_t* out) -> Result<void> {
            const auto value = parse_int64(text);
            if (!value) return cannot_read(text, "number");
            *out = *value;
            return {};
          },
          [&](std::uint64_t* out) { return read_unsigned(text, out); },
          [&](std::uint32_t* out) { return read_unsigned(text, out); },
          [&](std::uint16_t* out) { return read_unsigned(text, out); },
          [&](double* out) -> Result<void> {
            const auto value = parse_go_float(text);
            if (!value) return cannot_read(text, "number");
            *out = *value;
            return {};
          },
          [&](std::string* out) -> Result<void> {
            *out = text;
            return {};
          },
          [&](Duration* out) { return read_duration(text, out); },
          [&](std::vector<std::string>* out) -> Result<void> {
            *out = split_commas(text);
            return {};
          },
          [&](BytesTarget out) { return read_bytes(text, out); },
          [&](const CustomTarget& custom) -> Result<void> {
            KVASIR_TRY(const YamlNode node, parse_yaml(text));
            return custom.read(node);
          },
      },
      target);
}

Result<void> read_list(const YamlNode& node, std::vector<std::string>* out) {
  std::vector<std::string> list;
  for (const auto& item : node.items) {
    const auto text = item.as_text();
    if (!text) return fail(ErrorCode::kInvalidArgument, "cannot read a nested value as text");
    list.push_back(*text);
  }
  *out = std::move(list);
  return {};
}

Result<void> read_value(const Setting& setting, const YamlNode& node) {
  if (const auto* custom = std::get_if<CustomTarget>(&setting.target)) return custom->read(node);
  auto* const* list = std::get_if<std::vector<std::string>*>(&setting.target);
  if (list != nullptr && node.is_sequence()) return read_list(node, *list);
  const auto text = node.as_text();
  if (!text) return fail(ErrorCode::kInvalidArgument, "cannot read a map or list as a single value");
  if (node.is_null()) return {};  // `key:` with nothing keeps the default
  return read_scalar(setting.target, *text);
}

bool at_or_below(std::string_view path, std::string_view root) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '.');
}

class Reader {
 public:
  Reader(std::span<const Setting> table, std::span<const std::string_view> ignored, ConfigNotes& notes)
      : table_(table), ignored_(ignored), notes_(notes) {}

  Result<void> read(const YamlNode& map, const std::string& prefix) {
    if (map.is_null()) return {};
    if (!map.is_map()) {
      return fail(ErrorCode::kInvalidArgument, "line " + std::to_string(map.line) + ": " +
                                                   (prefix.empty() ? "the file" : prefix) + " must be a map");
    }
    for (const auto& entry : map.entries) KVASIR_CHECK_OK(read_entry(entry, prefix));
    return {};
  }

 private:
  Result<void> read_entry(const YamlNode::Entry& entry, const std::string& prefix) {
    const std::string path = prefix.empty() ? entry.key : prefix + "." + entry.key;
    const auto exact = std::find_if(table_.begin(), table_.end(), [&](const Setting& s) { return s.path == path; });
    if (exact != table_.end()) {
      notes_.given.insert(path);
      auto done = read_value(*exact, entry.value);
      if (done) return {};
      return fail(done.error().code(),
                  "line " + std::to_string(entry.line) + ": " + path + ": " + done.error().message());
    }
    const bool ignored =
        std::any_of(ignored_.begin(), ignored_.end(), [&](auto root) { return at_or_below(path, root); });
    const bool block =
        std::any_of(table_.begin(), table_.end(), [&](const Setting& s) { return at_or_below(s.path, path); }) ||
        std::any_of(ignored_.begin(), ignored_.end(),
                    [&](auto root) { return root != path && at_or_below(root, path); });
    if (block) return read(entry.value, path);
    if (ignored) {
      notes_.ignored.push_back(path);
    } else {
      warn_unknown(entry, prefix, path);
    }
    return {};
  }

  void warn_unknown(const YamlNode::Entry& entry, const std::string& prefix, const std::string& path) {
    std::string text = "line " + std::to_string(entry.line) + ": unknown key \"" + path + "\"";
    const auto siblings = keys_below(prefix);
    if (const auto near = nearest_word(entry.key, siblings)) text += ", did you mean \"" + *near + "\"?";
    notes_.warnings.push_back(std::move(text));
  }

  std::vector<std::string> keys_below(const std::string& prefix) const {
    std::set<std::string> keys;
    const auto add = [&](std::string_view path) {
      if (!prefix.empty() && (!at_or_below(path, prefix) || path.size() == prefix.size())) return;
      const auto rest = path.substr(prefix.empty() ? 0 : prefix.size() + 1);
      keys.emplace(rest.substr(0, rest.find('.')));
    };
    for (const auto& setting : table_) add(setting.path);
    for (const auto root : ignored_) add(root);
    return {keys.begin(), keys.end()};
  }

  std::span<const Setting> table_;
  std::span<const std::string_view> ignored_;
  ConfigNotes& notes_;
};

}  // namespace

std::string flag_name(const Setting& setting) {
  if (!setting.flag.empty()) return setting.flag;
  std::string flag = setting.path;
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

Result<void> read_settings(const YamlNode& map, const std::string& prefix, std::span<const Setting> table,
                           std::span<const std::string_view> ignored, ConfigNotes& notes) {
  return Reader(table, ignored, notes).read(map, prefix);
}

Result<void> set_from_text(const Setting& setting, const std::string& text) {
  return read_scalar(setting.target, text);
}

std::string print_value(const Setting& setting) {
  std::string text =
      std::visit(Overloaded{
                     [](const bool* v) { return std::string(*v ? "true" : "false"); },
                     [](const double* v) { return format_go_float(*v); },
                     [](const std::string* v) { return yaml_scalar(*v); },
                     [](const Duration* v) {
                       return v->count() < 0 ? "-" + format_prometheus_duration(-*v) : format_prometheus_duration(*v);
                     },
                     [](const std::vector<std::string>* v) { return print_list(*v); },
                     [](const BytesTarget& v) { return print_bytes(*v.bytes); },
                     [](const CustomTarget& v) { return v.print(); },
                     [](const auto* v) { return std::to_string(*v); },
                 },
                 setting.target);
  return setting.secret && text != "\"\"" ? "\"********\"" : without_userinfo(std::move(text));
}

std::string print_yaml(std::span<const Setting> table) {
  std::string out;
  std::vector<std::string_view> open;  // blocks that are open
  for (const auto& setting : table) {
    std::vector<std::string_view> parts;
    std::string_view rest = setting.path;
    for (auto dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      parts.push_back(rest.substr(0, dot));
      rest.remove_prefix(dot + 1);
    }
    std::size_t same = 0;
    while (same < open.size() && same < parts.size() && open[same] == parts[same]) ++same;
    for (std::size_t i = same; i < parts.size(); ++i) out += std::string(2 * i, ' ') + std::string(parts[i]) + ":\n";
    out += std::string(2 * parts.size(), ' ') + std::string(rest) + ": " + print_value(setting) + "\n";
    open = std::move(parts);
  }
  return out;
}

}  // namespace kvasir::server
