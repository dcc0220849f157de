"""The plot of a count over two settings, by what stands in it."""

import pytest

import greetlab as gl

COUNTS = {"DNS": {"0 s": 900, "30 s": 0}, "watch": {"0 s": 7, "30 s": 0}}


def fields(figure):
    return [(one.get_label(), one.get_edgecolor()[3], one.get_facecolor()) for one in
            figure.axes[0].patches]  # fmt: skip


def test_each_setting_is_a_field_and_those_with_none_are_framed():
    figure = gl.plot.surface(COUNTS, world="SIM", across="preStop", title="Failed")
    drawn = fields(figure)
    assert [count for count, _, _ in drawn] == ["900", "0", "7", "0"]
    assert [framed for _, framed, _ in drawn] == [0, 1, 0, 1]
    red = [1 - color[1] for _, _, color in drawn]
    assert red[0] > red[2] > red[1] == 0
    axes = figure.axes[0]
    assert [one.get_text() for one in axes.get_yticklabels()] == ["DNS", "watch"]
    assert [one.get_text() for one in axes.get_xticklabels()] == ["0 s", "30 s"]
    assert axes.get_xlabel() == "preStop"
    assert figure.alt == "Failed. DNS: 0 s 900, 30 s 0. watch: 0 s 7, 30 s 0"


def test_numbers_stay_in_their_fields():
    figure = gl.plot.surface({"a": {str(n): 123_456 for n in range(8)}}, world="SIM")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    for text, field in zip(axes.texts, axes.patches, strict=True):
        inside, around = text.get_window_extent(), field.get_window_extent()
        assert around.x0 <= inside.x0 < inside.x1 <= around.x1


@pytest.mark.parametrize("counts", [{}, {"a": {}}, {"a": {"1": 2}, "b": {"2": 2}}])
def test_what_is_no_table_is_said(counts):
    with pytest.raises(ValueError, match="rows of the same columns"):
        gl.plot.surface(counts, world="SIM")


def test_where_nothing_failed_at_all_it_is_drawn_too():
    assert gl.plot.surface({"a": {"1": 0}}, world="SIM").png()
