#include "common/net/router.h"

#include <algorithm>

#include "common/assert.h"

namespace kvasir::net {
namespace {

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> segments;
  if (!path.empty() && path.front() == '/') path.remove_prefix(1);
  while (true) {
    const std::size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

bool is_param(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

bool is_rest(std::string_view segment) { return is_param(segment) && segment.ends_with("...}"); }

const HttpRoute* allows(const std::vector<const HttpRoute*>& routes, std::string_view method) {
  for (const HttpRoute* route : routes) {
    const auto& methods = route->methods;
    if (methods.empty() || std::find(methods.begin(), methods.end(), method) != methods.end()) return route;
  }
  return nullptr;
}

std::string_view offset_rest(std::string_view path, const std::vector<std::string_view>& segments, std::size_t index) {
  if (index >= segments.size()) return {};
  return path.substr(static_cast<std::size_t>(segments[index].data() - path.data()));
}

/// Names the {} segments of a matched pattern with the text they matched.
Result<HttpParams> bind_params(std::string_view pattern, std::string_view path) {
  const auto names = split_path(pattern);
  const auto values = split_path(path);
  HttpParams params;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_param(names[i])) continue;
    const bool rest = is_rest(names[i]);
    const std::string_view name = names[i].substr(1, names[i].size() - (rest ? 5 : 2));
    const std::string_view raw = rest ? offset_rest(path, values, i) : values[i];
    KVASIR_TRY(std::string value, percent_decode(raw));
    params.add(std::string(name), std::move(value));
  }
  return params;
}

}  // namespace

/// Depth-first, most literal first. Remembers whether a path matched with another method.
struct Router::Search {
  std::string_view method;
  const std::vector<std::string>& segments;
  bool path_known = false;

  const HttpRoute* walk(const Node& node, std::size_t depth) {
    if (depth == segments.size()) {
      if (const HttpRoute* found = take(node.here)) return found;
    } else {
      const auto literal = node.literals.find(segments[depth]);
      if (literal != node.literals.end()) {
        if (const HttpRoute* found = walk(*literal->second, depth + 1)) return found;
      }
      if (node.any && !segments[depth].empty()) {
        if (const HttpRoute* found = walk(*node.any, depth + 1)) return found;
      }
    }
    return take(node.rest);
  }

  const HttpRoute* take(const std::vector<const HttpRoute*>& routes) {
    path_known = path_known || !routes.empty();
    return allows(routes, method);
  }
};

Router::Node& Router::child(Node& parent, std::string_view segment) {
  auto& slot = is_param(segment) ? parent.any : parent.literals[std::string(segment)];
  if (!slot) slot = std::make_unique<Node>();
  return *slot;
}

void Router::add(HttpRoute route) {
  KVASIR_ASSERT(route.pattern.starts_with('/'), "a route pattern starts with /");
  routes_.push_back(std::make_unique<HttpRoute>(std::move(route)));
  const HttpRoute* added = routes_.back().get();
  Node* node = &root_;
  for (const auto segment : split_path(added->pattern)) {
    if (is_rest(segment)) {
      node->rest.push_back(added);
      return;
    }
    node = &child(*node, segment);
  }
  node->here.push_back(added);
}

Result<Router::Match> Router::find(std::string_view method, std::string_view raw_path) const {
  std::vector<std::string> segments;
  for (const auto raw : split_path(raw_path)) {
    KVASIR_TRY(std::string segment, percent_decode(raw));
    segments.push_back(std::move(segment));
  }
  Search search{method, segments};
  Match match;
  match.route = search.walk(root_, 0);
  match.path_known = search.path_known;
  if (match.route != nullptr) {
    KVASIR_TRY(match.path_params, bind_params(match.route->pattern, raw_path));
  }
  return match;
}

}  // namespace kvasir::net
