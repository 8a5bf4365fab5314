#include "app/report/page.h"

#include "app/report/html.h"

namespace uvic {

std::string html_page(const std::string& title, const std::string& style, const std::string& body) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
         "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
         "<meta http-equiv=\"Content-Security-Policy\" "
         "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\"/>\n"
         "<title>" +
         escape_html(title) + "</title>\n<style>" + style + "</style>\n</head>\n<body>\n<main>\n" + body +
         "</main>\n</body>\n</html>\n";
}

std::string page_style() {
  return R"css(
:root { --page: #fff; --text: #1c1e21; --quiet: #5b6169; --line: #dcdfe3; --band: #f5f6f7; --focus: #0063a6; }
@media screen and (prefers-color-scheme: dark) {
  :root { --page: #16181b; --text: #e6e8ea; --quiet: #a3a9b1; --line: #363a40; --band: #1f2226; --focus: #62b5f0; }
}
* { box-sizing: border-box; }
html { font: 100%/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; background: var(--page); color: var(--text); }
body { margin: 0; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.625rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1875rem; margin: 3rem 0 1rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; overflow-wrap: anywhere; }
p, ul { max-width: 46rem; }
.quiet { color: var(--quiet); font-size: .875rem; }
.wide { overflow-x: auto; margin: 0 0 1.5rem; }
.wide:focus-visible, summary:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .375rem; font-size: .9375rem; }
th, td { text-align: left; vertical-align: top; padding: .3125rem 1.5rem .3125rem 0; border-bottom: 1px solid var(--line); max-width: 24rem; overflow-wrap: break-word; }
th, td { min-width: 5rem; }
tbody th { font-weight: 400; color: var(--quiet); position: sticky; left: 0; background: var(--page); }
thead th { font-weight: 600; }
pre { background: var(--band); padding: .75rem 1rem; margin: .5rem 0 1rem; overflow-x: auto; font: .8125rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; padding: .25rem 0; overflow-wrap: anywhere; }
@media print {
  main { max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  figure, table, tr { break-inside: avoid; }
  .wide { overflow: visible; }
}
)css";
}

}  // namespace uvic
