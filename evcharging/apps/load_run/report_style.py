"""How reports and the live page look: one style sheet, light and dark, in system fonts."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """
:root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5b6676;--rule:#dfe3e9;
--blue:#2563c9;--green:#15803d;--red:#c02626;--amber:#b45309;--grey:#8a94a3}
@media (prefers-color-scheme:dark){:root{--ground:#12161c;--card:#1b212a;--ink:#e6eaf0;--soft:#9aa5b4;--rule:#303946;
--blue:#6ea8ff;--green:#4ac27a;--red:#ff7b72;--amber:#e3a13b;--grey:#7d8896}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}
header p{color:var(--soft);margin:2px 0 0}
h1{font-size:26px;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:17px;margin:0 0 10px}
section{margin-top:26px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px}
.tile,.scroll,figure{background:var(--card);border:1px solid var(--rule);border-radius:10px}
.tile{padding:12px 14px;display:flex;flex-direction:column}
.tile span,.tile small{color:var(--soft);font-size:13px}
.tile strong{font-size:24px;line-height:1.3;font-variant-numeric:tabular-nums}
.tile.bad strong,.bad{color:var(--red)}.tile.good strong,.good{color:var(--green)}
.badge{font-size:13px;font-weight:600;border:1px solid currentColor;border-radius:99px;padding:1px 9px;
vertical-align:middle}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:14px}
figure{margin:0;padding:12px 12px 6px;min-width:0}
figcaption{display:flex;justify-content:space-between;flex-wrap:wrap;gap:4px 14px;font-weight:600}
.legend{display:flex;gap:12px;list-style:none;margin:0;padding:0;font-weight:400;color:var(--soft);font-size:13px}
.swatch{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:5px}
svg{width:100%;height:auto;display:block;aspect-ratio:540/190}
svg text{font-size:11.5px;fill:var(--soft)}
.grid{stroke:var(--rule);stroke-width:1}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.area{opacity:.16}
.scroll{overflow-x:auto;margin-bottom:12px}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:7px 14px;border-top:1px solid var(--rule);vertical-align:top}
thead th{border-top:0;color:var(--soft);font-weight:600;font-size:13px;white-space:nowrap}
tbody tr:first-child td{border-top:0}thead+tbody tr:first-child td{border-top:1px solid var(--rule)}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code{font-family:ui-monospace,"SF Mono",Menlo,Consolas,monospace;font-size:13px}
.problems{color:var(--red);margin:0;padding-left:20px}
@media print{body{background:#fff}.tile,.scroll,figure{break-inside:avoid}}
"""
