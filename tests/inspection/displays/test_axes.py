from skhp.inspection.displays.axes import wrapped_name


def test_names_break_after_underscores():
    assert wrapped_name("validation_fraction", 12) == "validation_\nfraction"
