// kubernetes_json.h -- reading members of the Kubernetes API's objects, and writing their labels.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "promtail-agent/config/config.h"

namespace kvasir::agent {

/// Text, an integer or a bool at a JSON pointer, as text; "" where there is none.
std::string member_text(simdjson::dom::element object, std::string_view pointer);

template <class F>
void for_each_item(simdjson::dom::element object, std::string_view pointer, F f) {
  simdjson::dom::array items;
  if (object.at_pointer(pointer).get(items) != simdjson::SUCCESS) return;
  for (const simdjson::dom::element item : items) f(item);
}

/// The members that are text.
template <class F>
void for_each_text(simdjson::dom::element object, std::string_view pointer, F f) {
  simdjson::dom::object fields;
  if (object.at_pointer(pointer).get(fields) != simdjson::SUCCESS) return;
  for (const auto field : fields) {
    std::string_view value;
    if (field.value.get(value) == simdjson::SUCCESS) f(field.key, value);
  }
}

/// Sets __meta_kubernetes_<name>; an empty value is no label.
class KubernetesLabels {
 public:
  explicit KubernetesLabels(StringMap& out) : out_(out) {}
  void set(std::string_view name, std::string value) {
    if (!value.empty()) out_["__meta_kubernetes_" + std::string(name)] = std::move(value);
  }
  /// Name, labels and annotations of an object.
  void set_metadata(const std::string& role, simdjson::dom::element object);

 private:
  StringMap& out_;
};

std::string lower_case(std::string text);
/// ip:port, [ip]:port for IPv6.
std::string joined_address(const std::string& ip, const std::string& port);
/// namespace/name, or name.
std::string object_key(simdjson::dom::element object);

}  // namespace kvasir::agent
