// rule_queries.h -- the queries of alerting and recording rules: instant values, and the lines behind an alert.
//
// Rules:    a rule runs as its tenant, under the tenant's limits; rules belong to admins, so no read policy narrows
//           them.
// Lifetime: the functions refer to the services.
// Threads:  the ruler's workers.
#pragma once

#include "alerts/group_runner.h"
#include "server/services.h"

namespace kvasir::server {

struct RuleQueries {
  alerts::QueryFunction values;
  alerts::TenantLineQuery lines;
};

RuleQueries make_rule_queries(const Services& services);

}  // namespace kvasir::server
