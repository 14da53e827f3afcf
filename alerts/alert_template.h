// alert_template.h -- the templates in labels and annotations of alerts: Go's text/template with Prometheus' functions.
//
// Shape:    `$labels`, `$value`, `$externalLabels`, `$externalURL`, and the fields .Labels .Value .ExternalURL. `query`
//           runs LogQL. Ours: `grafanaExplore "datasource" "query"` and `jaegerTrace "base" "id"` build links and
//           escape what they are given; `logQuery`, `logLink "datasource"`, `logLines N`, `traceIDs N` give the lines
//           behind the alert (evidence.h).
// Errors:   parse: as Go words it. A failing expansion gives the text `<error expanding template: ...>` and never stops
//           an alert.
// Threads:  any.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "alerts/evidence.h"
#include "common/labels.h"
#include "common/result.h"
#include "common/time.h"
#include "logql/query_result.h"

namespace kvasir::alerts {

/// Runs an instant LogQL query for a template; the vector (or scalar) it gives.
using TemplateQuery = std::function<Result<logql::Vector>(std::string_view query)>;

/// The newest lines that a log query gives, at most `limit`.
using LineQuery = std::function<Result<std::vector<std::string>>(const EvidenceQuery& query, std::size_t limit)>;

struct TemplateData {
  const Labels& labels;
  double value = 0;
  const Labels& external_labels;
  std::string_view external_url;
  TimestampNs now;
  const TemplateQuery& query;
  std::string_view expr;             // of the rule, for evidence
  const LineQuery* lines = nullptr;  // null: there are none
};

Result<void> check_alert_template(std::string_view alert, std::string_view text);
std::string expand_alert_template(std::string_view alert, std::string_view text, const TemplateData& data);

}  // namespace kvasir::alerts
