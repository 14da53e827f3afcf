#include "server/open_metrics.h"

#include <doctest/doctest.h>

using namespace kvasir::server;

TEST_CASE("metrics in the form of OpenMetrics") {
  CHECK(to_open_metrics("# HELP a_total Things\n# TYPE a_total counter\na_total{x=\"1\"} 3\n") ==
        "# TYPE a counter\n# HELP a Things\na_total{x=\"1\"} 3\n# EOF\n");
  CHECK(to_open_metrics("# HELP hits Hits\n# TYPE hits counter\nhits 3\n") ==
        "# TYPE hits unknown\n# HELP hits Hits\nhits 3\n# EOF\n");
  CHECK(to_open_metrics("# HELP g A gauge\n# TYPE g gauge\ng 1\n# TYPE u untyped\nu 2\n") ==
        "# TYPE g gauge\n# HELP g A gauge\ng 1\n# TYPE u unknown\nu 2\n# EOF\n");
  CHECK(to_open_metrics("# HELP h_total \n# TYPE h_total gauge\nh_total 1\n") ==
        "# TYPE h_total gauge\n# HELP h_total \nh_total 1\n# EOF\n");
  CHECK(to_open_metrics("") == "# EOF\n");
  CHECK(wants_open_metrics("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"));
  CHECK_FALSE(wants_open_metrics("text/plain"));
}
