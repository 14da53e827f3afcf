#include "promtail-agent/config/field_printer.h"

#include <fmt/format.h>

#include "common/number.h"
#include "common/url_secrets.h"

namespace kvasir::agent {

namespace {

constexpr std::string_view kHiddenText = "<secret>";

}  // namespace

void FieldPrinter::line(std::string_view text) {
  out_.append(static_cast<std::size_t>(depth_) * 2, ' ');
  out_ += text;
  out_ += '\n';
}

void FieldPrinter::pair(std::string_view name, std::string_view value) { line(fmt::format("{}: {}", name, value)); }

void FieldPrinter::text(Key key, std::string& value) {
  if (!value.empty()) pair(key.name, yaml_scalar(value));
}

void FieldPrinter::secret(Key key, std::string& value) {
  if (!value.empty()) pair(key.name, secrets_ == Secrets::kShown ? yaml_scalar(value) : std::string(kHiddenText));
}

void FieldPrinter::url(Key key, std::string& value) {
  if (!value.empty()) pair(key.name, yaml_scalar(secrets_ == Secrets::kShown ? value : without_userinfo(value)));
}

void FieldPrinter::flag(Key key, bool& value) { pair(key.name, value ? "true" : "false"); }
void FieldPrinter::integer(Key key, std::int64_t& value) { pair(key.name, std::to_string(value)); }
void FieldPrinter::number(Key key, double& value) { pair(key.name, format_go_float(value)); }
void FieldPrinter::bytes(Key key, std::uint64_t& value) { pair(key.name, std::to_string(value)); }
void FieldPrinter::duration(Key key, Duration& value, DurationForm) { pair(key.name, format_go_duration(value)); }

void FieldPrinter::word(Key key, std::string& value, std::span<const std::string_view>) { text(key, value); }

std::string FieldPrinter::flow_list(const std::vector<std::string>& values, bool secret) const {
  std::string out;
  for (const auto& value : values) {
    out += out.empty() ? "" : ", ";
    out += secret && secrets_ == Secrets::kHidden ? std::string(kHiddenText) : yaml_scalar(value);
  }
  return "[" + out + "]";
}

void FieldPrinter::texts(Key key, std::vector<std::string>& values) {
  if (!values.empty()) pair(key.name, flow_list(values, false));
}

void FieldPrinter::secret_texts(Key key, std::vector<std::string>& values) {
  if (!values.empty()) pair(key.name, flow_list(values, true));
}

void FieldPrinter::nested(std::string_view name, const Inside& inside) {
  FieldPrinter deeper(secrets_, depth_ + 1);
  inside(deeper);
  if (deeper.out_.empty()) return;
  line(fmt::format("{}:", name));
  out_ += deeper.out_;
}

void FieldPrinter::pairs(Key key, std::map<std::string, std::string>& values) {
  if (values.empty()) return;
  line(fmt::format("{}:", key.name));
  ++depth_;
  for (const auto& [name, value] : values) pair(yaml_scalar(name), yaml_scalar(value));
  --depth_;
}

void FieldPrinter::secrets(Key key, std::map<std::string, std::vector<std::string>>& values) {
  if (values.empty()) return;
  line(fmt::format("{}:", key.name));
  ++depth_;
  for (const auto& [name, list] : values) pair(yaml_scalar(name), flow_list(list, true));
  --depth_;
}

void FieldPrinter::yaml(Key key, YamlNode& value) {
  if (value.is_null()) return;
  line(fmt::format("{}:", key.name));
  ++depth_;
  node(value);
  --depth_;
}

void FieldPrinter::node(const YamlNode& value) {
  for (const auto& entry : value.entries) {
    const std::string name = yaml_scalar(entry.key);
    const bool empty = entry.value.entries.empty() && entry.value.items.empty();
    if (entry.value.is_null()) {
      line(name + ":");
    } else if (entry.value.is_scalar()) {
      pair(name, yaml_scalar(entry.value.text));
    } else if (empty) {
      pair(name, entry.value.is_map() ? "{}" : "[]");
    } else {
      line(name + ":");
      ++depth_;
      node(entry.value);
      --depth_;
    }
  }
  for (const YamlNode& item : value.items) {
    if (item.is_scalar() || item.is_null()) {
      line("- " + yaml_scalar(item.text));
      continue;
    }
    const std::size_t start = out_.size() + static_cast<std::size_t>(depth_) * 2;
    ++depth_;
    node(item);
    --depth_;
    if (out_.size() > start) out_.replace(start, 2, "- ");
  }
}

void FieldPrinter::block(Key key, std::string_view, bool* given, const Inside& inside) {
  if (given == nullptr || *given) nested(key.name, inside);
}

void FieldPrinter::list(Key key, std::string_view, std::size_t count, const Item& item) {
  if (count == 0) return;
  line(fmt::format("{}:", key.name));
  for (std::size_t i = 0; i < count; ++i) {
    FieldPrinter deeper(secrets_, depth_ + 1);
    item(deeper, i);
    const std::size_t start = static_cast<std::size_t>(depth_) * 2;
    if (!deeper.out_.empty()) out_ += deeper.out_.replace(start, 2, "- ");
  }
}

void FieldPrinter::named(Key key, std::string_view, const std::vector<std::string>& names, const NamedItem& item) {
  nested(key.name, [&](Fields& fields) {
    for (const std::string& name : names) {
      static_cast<FieldPrinter&>(fields).nested(yaml_scalar(name), [&](Fields& inner) { item(inner, name); });
    }
  });
}

}  // namespace kvasir::agent
