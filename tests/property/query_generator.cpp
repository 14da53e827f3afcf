#include "tests/property/query_generator.h"

namespace kvasir::logql {

std::vector<NaiveRow> QueryGenerator::rows() {
  std::vector<NaiveRow> out;
  const std::size_t count = below(120);
  for (std::size_t i = 0; i < count; ++i) {
    NaiveRow row;
    row.stream = Labels{{"app", pick({"a", "b"})}, {"env", pick({"p", "q"})}};
    if (one_in(4)) row.stream.set("pod", pick({"x", "y", "z"}));
    row.timestamp = {static_cast<std::int64_t>(below(kSpanSeconds + 1)) * kNsPerSecond};
    if (one_in(3)) row.timestamp.value += static_cast<std::int64_t>(below(kNsPerSecond));
    row.line = line();
    if (one_in(3)) row.metadata.push_back({"trace", number(3)});
    if (one_in(5)) row.metadata.insert(row.metadata.begin(), Label{"k", "meta"});
    if (one_in(6)) row.metadata.insert(row.metadata.begin(), Label{"app", "m"});
    if (one_in(30)) row.metadata.insert(row.metadata.begin(), Label{"__error__", "theirs"});
    if (one_in(2)) row.metadata.push_back({"detected_level", pick({"error", "info", "odd"})});
    out.push_back(std::move(row));
    if (one_in(15)) out.push_back(out.back());  // sent twice
  }
  for (std::size_t i = 0; i < out.size(); ++i) out[i].sequence = i;
  return out;
}

std::string QueryGenerator::word() { return pick({"red", "blue", "err", "x1", "\xc3\xa9t\xc3\xa9"}); }

std::string QueryGenerator::line() {
  const std::string level = pick({"error", "ERR", "info", "warn", "Warning", "odd"});
  const std::string id = pick({"4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000001"});
  switch (below(17)) {
    case 0:
    case 1: return "{\"k\":\"" + word() + "\",\"v\":" + number(20) + ",\"o\":{\"d\":\"" + number(9) + "ms\"}}";
    case 2:
      return "{\"k\":\"" + word() + "\",\"v\":" + number(20) + ".5,\"level\":\"" + level + "\",\"id\":\"" + id + "\"}";
    case 3:
    case 4: return "k=" + word() + " v=" + number(20) + " d=" + number(9) + "ms msg=\"" + word() + " " + word() + "\"";
    case 5: return "level=" + level + " v=-" + number(5) + " size=" + number(5) + "KiB id=" + id;
    case 6: return word() + " " + word();
    case 7: return "10.0." + number(2) + "." + number(3) + " - " + word() + " took " + number(3) + "s";
    case 8: return "\x1b[31mred\x1b[0m " + word();
    case 9: return R"({"_entry":"k=)" + word() + " v=" + number(9) + R"(","k":")" + word() + R"(","env":"packed"})";
    case 10: return "{\"k\":" + number(3) + ",\"v\":\"NaN\",\"a\":[1,{\"b\":\"" + word() + "\"}],\"app\":\"j\"}";
    case 11: return "seen " + id + " twice";
    case 12: return one_in(2) ? "{}" : "v=x k=" + word();
    case 13: return one_in(2) ? "red \xff\xfe v=1" : "{\"k\":\"\xff\",\"v\":" + number(20) + "}";
    case 14: return word() + std::string("\0 k=red v=3", 12);
    case 15: return "k=" + word() + " v=" + number(20) + "\r\n";
    default: return one_in(2) ? "" : "{\"k\":\"" + word();
  }
}

std::string QueryGenerator::selector() {
  if (one_in(5)) {
    return pick({"{level=`error`}", "{app=`a`, k=`red`}", "{id=`4bf92f3577b34da6a3ce929d0e0e4736`}", "{k=~`r.*|blue`}",
                 "{trace=`1`}", "{level=~`err.*`, app=~`.+`}", "{k=~`x1|red|\xc3\xa9.+`, env=`p`}",
                 "{level=`warn`, k=`red`}"});
  }
  return pick(
      {"{app=`a`}", "{app=~`.+`}", "{app=~`a|b`, env=`p`}", "{env!=``}", "{}", "{pod=``, app=`b`}", "{pod=~`x|y`}"});
}

std::string QueryGenerator::parser() {
  return pick({" | json", " | logfmt", " | json", " | logfmt", " | pattern `<k> <w>`",
               " | json k, deep=`o.d`, b=`a[1].b`", " | logfmt k, z=`v`", " | logfmt --keep-empty",
               " | logfmt --strict", " | regexp `(?P<k>[a-z]+) (?P<w>\\\\w+)`", " | unpack"});
}

std::string QueryGenerator::line_filter() {
  return pick({" |= `red`", " != `blue`", " |~ `k.*v`", " |= `red` or `err`", " !~ `x[0-9]`", " |> `<_>red<_>`",
               " |~ `(?i)RED`", " |= `v=1`", " !> `<_>d<_>`", " |= ip(`10.0.0.0/24`)", " != ip(`10.0.1.1`)", " |~ `.`",
               " != `red` or `x1`"});
}

std::string QueryGenerator::label_filter() {
  return pick({" | k=`red`", " | v > 9", " | v >= 5 and v < 15", " | k=~`r.*|blue`", " | trace=`1`", " | d > 3ms",
               " | o_d <= 5ms", " | k!=`` or v=3", " | env=`p`", " | size > 2KB", " | k!~`b.*`, v!=7",
               " | app_extracted=`m`", " | level=`error`", " | (k=`red` or env=`q`) and v<10",
               " | detected_level=`error`", " | detected_level!=`info` or v>3"});
}

std::string QueryGenerator::format() {
  return pick({" | label_format k=`{{.k}}-{{.env}}`", " | label_format z=k", " | drop k", " | keep app, k, v",
               " | line_format `{{.k}} {{.v}}`", " | decolorize", " | drop env, k=`red`", " | keep v, k=~`r.+`",
               " | label_format v=`{{ add (int .v) 1 }}`", " | line_format `{{ upper .k }}=v`",
               " | label_format env=`e`", " | drop __error__, __error_details__"});
}

std::string QueryGenerator::pipeline(bool errors_pass) {
  std::string out;
  if (one_in(2)) out += line_filter();
  if (!one_in(4)) out += parser();
  if (one_in(2)) out += label_filter();
  if (one_in(4)) out += format();
  // Behind a name `!=` would be its matcher.
  if (one_in(4))
    out += pick(
        {" |= `red`", " |~ `k.*v`", " |= `red` or `err`", " |> `<_>red<_>`", " |~ `(?i)RED`", " |= ip(`10.0.0.0/24`)"});
  if (one_in(6)) out += parser() + label_filter();
  if (!errors_pass && !one_in(6)) out += " | __error__=``";
  return out;
}

std::string QueryGenerator::log_query() { return selector() + pipeline(true); }

std::string QueryGenerator::ordered_query() {
  std::string out = log_query();
  out += pick({" | order by v", " | order by v desc", " | sort by (k, v) desc", " | order by timestamp asc",
               " | order by timestamp desc, k", " | order by k desc, timestamp", " | order by line",
               " | order by missing, v desc", " | order by d desc", " | order by size, d"});
  if (one_in(4)) out += pick({" | v > 3", " | k=`red`", " | app=`a` or v<9"});
  if (one_in(4)) out += " | order by env";
  if (one_in(4)) out += " | limit " + std::to_string(1 + below(20));
  return out;
}

std::string QueryGenerator::stats_query() {
  std::string out = log_query();
  if (one_in(6)) out += " | order by v | v > 2";
  out += " | stats " + pick({"count() as n", "count(k) as n, sum(v) as s", "avg(v) as s, min(v) as low, max(v) as n",
                             "count_distinct(k) as n", "quantile(0.9, v) as n, count() as c", "sum(d) as n",
                             "max(size) as n, count_distinct(line) as c"});
  out += pick({"", " by app", " by (app, env)", " by k", " by (k, pod)", " by line", " by level", " by (v, trace)",
               " by app_extracted", " by detected_level"});
  if (one_in(3)) out += pick({" | n > 2", " | n >= 1 and n < 5", " | app=`a`"});
  if (one_in(3)) out += pick({" | order by n desc", " | order by app, n desc"});
  if (one_in(5))
    return out + pick({" | limit 2", " | stats count() as kinds", " | stats sum(n) as n by app | order by n"});
  return out;
}

std::string QueryGenerator::grouping() {
  return pick({"", "", "", " by (app)", " by (k)", " by ()", " without (k, msg)", " by (app, k, trace)",
               " without (app, env)", " by (level, __error__)", " without ()", " by (app_extracted, v)",
               " by (detected_level)", " by (app, level, detected_level)"});
}

std::string QueryGenerator::log_range(bool unwrapped) {
  const std::string window =
      "[" + pick({"1s", "7s", "20s", "90s"}) + "]" + (one_in(5) ? " offset " + pick({"5s", "-5s"}) : "");
  if (!unwrapped) return selector() + pipeline(false) + " " + window;
  const std::string unwrap = pick(
      {" | json | unwrap v", " | logfmt | unwrap v", " | logfmt | unwrap duration(d)", " | json | unwrap v | v > 3",
       " | logfmt | unwrap bytes(size)", " | json | k=`red` | unwrap v", " | unwrap trace",
       " | json | unwrap duration_seconds(o_d) | k!=``", " | json | label_format v=`{{.v}}` | unwrap v"});
  const std::string errors = one_in(8) ? "" : " | __error__=``";
  return selector() + (one_in(3) ? line_filter() : "") + unwrap + errors + " " + window;
}

std::string QueryGenerator::range() {
  if (one_in(2))
    return pick({"count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time"}) + "(" +
           log_range(false) + ")";
  const std::string inner = log_range(true) + ")";
  switch (below(5)) {
    case 0: return pick({"sum_over_time", "rate", "rate_counter"}) + "(" + inner;
    case 1: return "quantile_over_time(0." + number(10) + ", " + inner + grouping();
    case 2: return "absent_over_time(" + inner;
    default:
      return pick({"avg_over_time", "min_over_time", "max_over_time", "stddev_over_time", "stdvar_over_time",
                   "first_over_time", "last_over_time"}) +
             "(" + inner + grouping();
  }
}

std::string QueryGenerator::aggregate(const std::string& by) {
  const std::string group = by.empty() ? grouping() : " by (" + by + ")";
  if (one_in(4)) {
    const std::string k = number(4) == "0" ? "1" : std::to_string(1 + below(3));
    if (one_in(5)) return "approx_topk(" + k + ", " + range() + ")";
    return pick({"topk", "bottomk"}) + group + " (" + k + ", " + range() + ")";
  }
  return pick({"sum", "avg", "count", "max", "min", "stddev", "stdvar", "sum"}) + group + " (" + range() + ")";
}

std::string QueryGenerator::binary(int depth) {
  const std::string op = pick({"+", "-", "*", "/", "%", "^", ">", "<= bool", "!= bool", "==", "and", "or", "unless"});
  const bool is_set = op == "and" || op == "or" || op == "unless";
  const std::string same = pick({"app", "k", "app, env"});
  std::string matching = pick({"", " on (app)", " ignoring (k)", " on ()", " ignoring (app, env)"});
  if (!matching.empty() && !is_set && one_in(2)) {
    matching += pick({" group_left ()", " group_right ()", " group_left (env)", " group_right (k, env)"});
  }
  if (one_in(2)) return "(" + aggregate(same) + ") " + op + matching + " (" + aggregate(same) + ")";
  return "(" + vector(depth - 1) + ") " + op + matching + " (" + vector(depth - 1) + ")";
}

std::string QueryGenerator::vector(int depth) {
  switch (depth <= 0 ? below(4) : below(10)) {
    case 0:
    case 1: return range();
    case 2:
    case 3: return aggregate("");
    case 4: return pick({"sort", "sort_desc"}) + "(" + vector(depth - 1) + ")";
    case 5:
      return "label_replace(" + vector(depth - 1) + ", " +
             pick({"`app`, `${1}x`, `app`, `(.)`", "`new`, `${1}`, `k`, `(r.*)`", "`app`, ``, `env`, `.*`",
                   "`k`, `same`, `k`, `.*`"}) +
             ")";
    case 6: return "(" + vector(depth - 1) + ") " + pick({"* 2", "> 3", "!= bool 1", "/ 0", "^ 2", "% 3", "<= 1"});
    case 7: return pick({"2", "0.5"}) + pick({" - ", " < ", " / "}) + "(" + vector(depth - 1) + ")";
    case 8: return one_in(3) ? "vector(" + number(5) + ")" : "(" + stats_query() + ")";
    default: return binary(depth);
  }
}

std::string QueryGenerator::let_query() {
  const std::string first = pick({"{app=`a`, env=`p`}", "{app=`a`}", "{env=`q`, app=~`.+`}"});
  const std::string second = pick({"{app=`a`, env=`q`}", "{app=`a`}", "{app=`b`, env=`q`}"});
  const std::string op = pick({"count_over_time", "rate", "bytes_over_time"});
  std::string out =
      "let x = " + op + "(" + first + "[20s]); let y = " + op + "(" + second + line_filter() + " [20s]); ";
  if (one_in(4)) out += "let z = max_over_time({app=`a`} | logfmt | unwrap v | __error__=`` [20s]); ";
  const bool third = out.find("let z") != std::string::npos;
  return out +
         pick({"(y - x) / x", "x / y > 0.1", "x", "sum(x) + sum(y)", "x or y", "x + on (app) y", "(x - y) or x",
               "x * x", "topk(1, x) - y"}) +
         (third ? " + z" : "");
}

std::string QueryGenerator::metric_query() {
  switch (below(12)) {
    case 0: return let_query();
    case 1: {
      const bool unwrapped = one_in(3);
      const std::string of = log_range(unwrapped);
      const std::string a =
          unwrapped ? pick({"sum_over_time", "max_over_time"}) : pick({"count_over_time", "bytes_rate"});
      const std::string b = unwrapped ? "avg_over_time" : "rate";
      return "variants(" + a + "(" + of + "), sum by (app) (" + b + "(" + of + "))) of (" + of + ")";
    }
    case 2: return one_in(6) ? "1 + " + number(9) : stats_query();
    default: return vector(2);
  }
}

}  // namespace kvasir::logql
