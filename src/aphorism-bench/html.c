/*
 * html.c - what the page of a report is made of.
 */
#include "aphorism-bench/html.h"

void html_text(FILE *page, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", page);
			break;
		case '<':
			fputs("&lt;", page);
			break;
		case '>':
			fputs("&gt;", page);
			break;
		case '"':
			fputs("&quot;", page);
			break;
		default:
			putc(*text, page);
		}
	}
}

/* --m0 to --m7 are the models' colours: Okabe and Ito's, darker on a light screen so that thin lines can be seen. */
const char html_style[] =
	":root{color-scheme:light dark;"
	"--ink:#1b1f24;--dim:#59636e;--page:#fff;--card:#f6f8fa;--rule:#d1d9e0;--warn:#b3261e;"
	"--m0:#1b1f24;--m1:#d55e00;--m2:#b5508d;--m3:#0072b2;--m4:#008a64;--m5:#b07d00;--m6:#3a93cc;--m7:#7d5fc4}\n"
	"@media(prefers-color-scheme:dark){"
	":root{--ink:#e6eaef;--dim:#9aa5b1;--page:#14171b;--card:#1d2126;--rule:#3a424b;--warn:#ff8a80;"
	"--m0:#e6eaef;--m1:#f0803c;--m2:#dd95be;--m3:#4aa3df;--m4:#2fc39b;--m5:#f0b93a;--m6:#8fd0f5;--m7:#b9a2f0}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0 auto;padding:1rem;max-width:80rem;background:var(--page);color:var(--ink);"
	"font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\n"
	"h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0}\n"
	"h2{font-size:1.25rem;margin:2.5rem 0 .25rem;padding-top:.75rem;border-top:1px solid var(--rule)}\n"
	"h3{font-size:1rem;margin:1.25rem 0 .25rem}\n"
	"p{margin:.25rem 0 .75rem;max-width:46rem}\n"
	"a{color:inherit}\n"
	"nav a{display:inline-block;margin-right:.9rem;padding:.15rem 0}\n"
	".dim,figcaption{color:var(--dim);font-size:.875rem}\n"
	".warn{color:var(--warn);font-weight:600}\n"
	"dl{display:grid;grid-template-columns:auto 1fr;gap:.1rem .9rem;font-size:.875rem;margin:.5rem 0}\n"
	"dt{color:var(--dim)}dd{margin:0}\n"
	".cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,18rem),1fr));gap:1rem;"
	"margin:1rem 0}\n"
	".card,figure{margin:0;padding:.75rem;background:var(--card);border:1px solid var(--rule);"
	"border-radius:.5rem}\n"
	".card h3,.card p{margin:0;font-size:.9375rem}\n"
	"pre{margin:.4rem 0 0;padding:.2rem .5rem;overflow-x:auto;background:var(--page);border:1px solid var(--rule);"
	"border-radius:.25rem;font-size:.875rem}\n"
	".box{overflow-x:auto;margin:.25rem 0 1rem}\n"
	"table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
	"th,td{padding:.2rem .45rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}\n"
	"thead th{color:var(--dim);font-weight:600}\n"
	"th:first-child{text-align:left;position:sticky;left:0;background:var(--page)}\n"
	"td:nth-child(2){text-align:left}\n"
	".best th,.best td,.tie th{font-weight:700}\n"
	".bad td:nth-child(2){color:var(--warn);font-weight:600}\n"
	".key{margin:.25rem 0 0;font-size:.8125rem}"
	".key span{display:inline-block;margin-right:.6rem}.key i{font-style:normal}\n"
	"svg{display:block;width:100%;height:auto}\n"
	"svg g{font-family:inherit}\n"
	"svg [fill=black]{fill:currentColor}svg [stroke=black]{stroke:currentColor}svg [color=black]{color:inherit}\n";
