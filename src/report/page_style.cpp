#include "report/page_style.h"

#include <fmt/format.h>

#include "report/html_text.h"

namespace leco {
namespace {

// Colours of curves: Okabe and Ito's, which people with any colour vision tell apart, lighter on dark ground.
constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --ground: #f6f6f3; --card: #ffffff; --ink: #1c1f23; --soft: #5c636c;
  --rule: #e3e4e0; --accent: #0b63b0; --good: #17693f; --fair: #8a5a00; --poor: #b3261e; --range: #0b63b014;
  --c0: #0072b2; --c1: #c35200; --c2: #00795a; --c3: #a8457f; --c4: #8a6d00; --c5: #4a5a9a; }
@media (prefers-color-scheme: dark) { :root { --ground: #131517; --card: #1c1f22; --ink: #e9eaea;
  --soft: #a3aab2; --rule: #33383d; --accent: #6fb7f2; --good: #6fcf97; --fair: #e6b450; --poor: #ff8a80;
  --range: #6fb7f21f; --c0: #56b4e9; --c1: #ff9550; --c2: #3fcf9f; --c3: #e58fc0; --c4: #e6c84a; --c5: #9fb0ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; text-wrap: balance; }
h2 { font-size: 1.15rem; margin: 40px 0 12px; }
h3 { font-size: 1rem; margin: 0; }
p { margin: 0 0 8px; max-width: 75ch; }
.soft, figcaption p, .legend, .card p { color: var(--soft); }
.verdict { font-size: 1.1rem; margin: 18px 0 20px; }
.verdict p { margin-bottom: 6px; }
code, .prompt { overflow-wrap: anywhere; }
.cards { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); margin: 0; }
.card, .chart, .sheet { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
.card { padding: 14px 16px; }
.card dt { color: var(--soft); font-size: .88rem; }
.card .value { font-size: 1.7rem; font-weight: 650; line-height: 1.25; margin: 0; font-variant-numeric: tabular-nums; }
.card dd { margin: 0; }
.card p { font-size: .88rem; margin: 2px 0 0; }
.word { font-weight: 650; }
.good { color: var(--good); } .fair { color: var(--fair); } .poor { color: var(--poor); }
.charts { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(min(340px, 100%), 1fr)); }
.chart { margin: 0; padding: 14px 14px 8px; display: flex; flex-direction: column; min-width: 0; }
.chart > svg { width: 100%; height: auto; display: block; margin-top: auto; }
figcaption p { font-size: .88rem; margin: 2px 0 8px; min-height: 3em; }
.legend { list-style: none; margin: 4px 0 6px; padding: 0; display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: .82rem; }
.legend li { display: flex; align-items: center; gap: 6px; overflow-wrap: anywhere; }
.legend svg { width: 22px; height: 12px; flex: none; }
svg text { fill: var(--soft); font: 13px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
svg .rule { stroke: var(--rule); fill: none; } svg .axis { stroke: var(--soft); fill: none; opacity: .7; }
svg .range { fill: var(--range); } svg .band { fill: var(--soft); opacity: .13; }
svg .fit, svg .limit { fill: none; stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 6 4; }
svg .limit { stroke: var(--poor); }
svg .line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
svg circle, svg g rect, .legend rect, svg .dot { fill: currentColor; }
.s0 { color: var(--c0); } .s1 { color: var(--c1); } .s2 { color: var(--c2); }
.s3 { color: var(--c3); } .s4 { color: var(--c4); } .s5 { color: var(--c5); }
.legend li { color: var(--soft); } .legend li svg { color: inherit; }
.legend .s0 svg { color: var(--c0); } .legend .s1 svg { color: var(--c1); } .legend .s2 svg { color: var(--c2); }
.legend .s3 svg { color: var(--c3); } .legend .s4 svg { color: var(--c4); } .legend .s5 svg { color: var(--c5); }
.sheet { overflow-x: auto; padding: 4px; }
.sheet:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; text-align: right; border-top: 1px solid var(--rule); }
thead th { border-top: 0; vertical-align: bottom; font-size: .88rem; }
tbody th { font-weight: 500; }
tr.usual td, tr.usual th { background: var(--range); }
.words th, .words td { text-align: left; vertical-align: top; }
.words th { width: 34%; font-weight: 500; color: var(--soft); }
.words td { overflow-wrap: anywhere; } tbody:first-child tr:first-child > * { border-top: 0; }
.pictures th, .pictures td { padding: 4px; border: 0; text-align: center; }
.pictures tbody th { text-align: left; font-size: .88rem; min-width: 96px; max-width: 190px; padding: 4px 8px; position: sticky;
  left: -4px; background: var(--card); z-index: 1; overflow-wrap: anywhere; }
.pictures img { display: block; width: 100%; min-width: 92px; height: auto; border-radius: 4px; }
.pictures img.small { image-rendering: pixelated; }
.pictures thead th.usual { border-bottom: 3px solid var(--accent); }
.tall { max-height: 80vh; overflow: auto; padding: 0; } .tall thead th { position: sticky; top: 0; background: var(--card); z-index: 1;
  box-shadow: 0 1px var(--rule); }
.low { max-height: 40vh; }
#runs th, #runs td { text-align: left; white-space: nowrap; } #runs tbody th { min-width: min(280px, 40vw); max-width: 420px; white-space: normal; overflow-wrap: anywhere; }
#runs tbody th { position: sticky; left: 0; background: var(--card); } #runs thead th:first-child { left: 0; z-index: 2; }
#runs tr:target > * { background: linear-gradient(var(--range), var(--range)) var(--card); } #runs tr:target th { box-shadow: inset 3px 0 var(--accent); }
#runs tr { scroll-margin-top: 60px; } section, .run { scroll-margin-top: 50px; } main:has(#runs) { max-width: 1500px; }
.bar { position: sticky; top: 0; z-index: 3; display: flex; flex-wrap: wrap; align-items: center; gap: 6px 18px; padding: 8px 0;
  background: var(--ground); border-bottom: 1px solid var(--rule); } .bar p { margin: 0 0 0 auto; max-width: 100%; }
#runs th[data-kind], #runs td[data-value] { text-align: right; }
#runs button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-decoration: underline dotted; }
#runs th[aria-sort] button { color: var(--accent); } #runs th[aria-sort=ascending] button::after { content: " ↑"; }
#runs th[aria-sort=descending] button::after { content: " ↓"; }
a { color: var(--accent); } a:focus-visible, button:focus-visible, input:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: 4px 8px; max-width: 100%; }
.runs { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); }
.run { margin: 0; min-width: 0; content-visibility: auto; contain-intrinsic-size: auto 300px auto 200px; } .run[hidden] { display: none; }
.run img { display: block; width: 100%; height: auto; border-radius: 6px; } .run figcaption { font-size: .82rem; overflow-wrap: anywhere; }
details { margin-top: 12px; } summary { cursor: pointer; color: var(--accent); }
.terms dt { font-weight: 650; margin-top: 10px; } .terms dd { margin: 0; max-width: 75ch; }
footer { margin-top: 40px; color: var(--soft); font-size: .82rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 560px) { main { padding: 20px 14px 40px; } h1 { font-size: 1.35rem; }
  .cards { grid-template-columns: 1fr 1fr; gap: 10px; } .card { padding: 10px 12px; } .card .value { font-size: 1.3rem; }
  .bar { position: static; } .verdict { font-size: 1rem; } figcaption p { min-height: 0; }
  .words tr, .words th, .words td { display: block; width: auto; } .words th { padding-bottom: 0; }
  .words td { border-top: 0; padding-top: 0; } .words tr:first-child th { border-top: 0; } .pictures tbody th { min-width: 74px; max-width: 96px; padding: 4px; } }
@media print { body { background: none; } .card, .chart, .sheet { break-inside: avoid; } }
)";

}  // namespace

// The empty icon keeps browsers from asking for one.
std::string html_page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>{}</style>\n</head>\n"
      "<body>\n<main>\n{}</main>\n</body>\n</html>\n",
      html_escape(title), kStyle, body);
}

}  // namespace leco
