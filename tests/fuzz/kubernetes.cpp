// Answers of the Kubernetes API: lists and watch events of every role. The first byte chooses the role.
#include <array>
#include <cstdint>
#include <string_view>

#include "promtail-agent/discovery/kubernetes_objects.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir::agent;
  static const std::array<std::string, 7> kRoles = {"pod",           "node",    "service",  "endpoints",
                                                    "endpointslice", "ingress", "namespace"};
  if (size == 0) return 0;
  const std::string& role = kRoles[data[0] % kRoles.size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (const auto list = parse_kubernetes_list(role, text)) {
    for (const auto& [key, object] : list->objects) {
      if (key != object.key) __builtin_trap();
      for (const auto& target : object.targets) {
        if (target.group.targets.size() != 1) __builtin_trap();
      }
    }
  }
  (void)parse_kubernetes_event(role, text);
  return 0;
}
