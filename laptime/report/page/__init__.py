"""One page that shows it all: charts, the sentences that they bear out, and what they were measured on. Pure.

`content.page` turns what was measured (`material.Material`) into sections of figures; `html.document` writes them as
one file that asks nothing of the network; `draw` renders a figure's chart as SVG and PNG.
"""
