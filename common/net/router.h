// router.h -- finds the route of a request path.
//
// Shape:    patterns are split into segments: literal, {name} (exactly one, not empty) and a last {name...} (the rest,
//           slashes kept, may be empty). At each segment a literal wins over {name}, and {name} over {name...}.
// Threads:  immutable once routes are added.
// Errors:   invalid_argument for a broken percent escape in the path.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/http_server.h"

namespace kvasir::net {

class Router {
 public:
  void add(HttpRoute route);

  struct Match {
    const HttpRoute* route = nullptr;  // null: see path_known
    bool path_known = false;           // some route has the path but not the method: 405
    HttpParams path_params;
  };
  /// raw_path: still percent-encoded, without the query string.
  Result<Match> find(std::string_view method, std::string_view raw_path) const;
  bool empty() const { return routes_.empty(); }
  const std::vector<std::unique_ptr<HttpRoute>>& routes() const { return routes_; }

 private:
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> any;                 // {name}
    std::vector<const HttpRoute*> here;        // routes that end at this node
    std::vector<const HttpRoute*> rest;        // routes that end in {name...} at this node
  };
  struct Search;

  static Node& child(Node& parent, std::string_view segment);

  Node root_;
  std::vector<std::unique_ptr<HttpRoute>> routes_;
};

}  // namespace kvasir::net
