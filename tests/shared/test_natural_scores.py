from skhp.shared.natural_scores import natural_name, natural_score


def test_a_loss_is_not_negative():
    assert (natural_score("neg_log_loss", -0.25), natural_score("f1", 0.5)) == (0.25, 0.5)


def test_a_loss_has_a_plain_name():
    assert (natural_name("neg_log_loss"), natural_name("f1")) == ("log loss", "f1")
