"""List the checks of each kind of plugin in the order in which they run, and run them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..core.errors import UserError, nearest
from ..core.messages import listed, visible
from ..core.plugins.registry import Kind
from . import any_plugin, edit_checks, generator_checks, learner_checks, scorer_checks
from .kit import Check, Outcome, outcome_of
from .subject import Subject

CHECKS: Mapping[Kind, tuple[Check, ...]] = {
    "generator": (
        Check("generator", any_plugin.declarations_are_complete),
        Check("generator", any_plugin.config_is_strict),
        Check("generator", generator_checks.card_says_where_it_comes_from),
        Check("generator", any_plugin.networks_are_in_evaluation_mode),
        Check("generator", generator_checks.samples_follow_from_seed_and_index),
        Check("generator", generator_checks.global_random_state_is_untouched),
        Check("generator", generator_checks.pictures_are_as_the_card_says),
        Check("generator", generator_checks.picture_can_be_made_again),
        Check("generator", generator_checks.batch_does_not_change_a_picture),
        Check("generator", generator_checks.inputs_are_left_alone),
        Check("generator", edit_checks.edit_changes_nothing_before_its_layer),
        Check("generator", edit_checks.edit_equals_a_full_pass),
        Check("generator", edit_checks.every_layer_matters),
        Check("generator", edit_checks.gradients_reach_the_codes),
        Check("generator", edit_checks.styles_are_those_of_the_strata),
        Check("generator", generator_checks.autocast_is_close),
        Check("generator", generator_checks.everything_is_on_its_device),
        Check("generator", any_plugin.missing_file_is_named),
    ),
    "scorer": (
        Check("scorer", any_plugin.declarations_are_complete),
        Check("scorer", any_plugin.config_is_strict),
        Check("scorer", any_plugin.networks_are_in_evaluation_mode),
        Check("scorer", scorer_checks.scores_are_a_table),
        Check("scorer", scorer_checks.score_can_be_repeated),
        Check("scorer", scorer_checks.batch_does_not_change_a_score),
        Check("scorer", scorer_checks.order_does_not_change_a_score),
        Check("scorer", scorer_checks.pictures_are_left_alone),
        Check("scorer", scorer_checks.global_random_state_is_untouched),
        Check("scorer", scorer_checks.other_sizes_are_scored_or_refused),
        Check("scorer", scorer_checks.extreme_pictures_are_scored),
        Check("scorer", scorer_checks.everything_is_on_its_device),
        Check("scorer", any_plugin.missing_file_is_named),
    ),
    "boundary": (
        Check("boundary", any_plugin.declarations_are_complete),
        Check("boundary", any_plugin.config_is_strict),
        Check("boundary", learner_checks.number_of_samples_is_accepted),
        Check("boundary", learner_checks.boundaries_are_as_the_contract_says),
        Check("boundary", learner_checks.planted_directions_are_recovered),
        Check("boundary", learner_checks.learning_again_gives_the_same),
        Check("boundary", learner_checks.inputs_are_left_alone),
        Check("boundary", learner_checks.noise_is_at_chance),
        Check("boundary", learner_checks.one_class_is_refused),
        Check("boundary", learner_checks.samples_without_a_score_are_left_out),
    ),
}


def checks_of(kind: Kind) -> tuple[Check, ...]:
    """Return the checks of a kind of plugin, in the order in which they run.

    Raises:
        UserError: there are no checks for this kind.

    >>> [check.name for check in checks_of("boundary")][:2]
    ['declarations are complete', 'config is strict']
    """
    if kind not in CHECKS:
        raise UserError(
            f"there are no checks for the kind '{visible(str(kind))}', only for {', '.join(CHECKS)}"
        )
    return CHECKS[kind]


def outcomes(subject: Subject) -> Iterator[Outcome]:
    """Run all checks of a plugin, one after the other.

    If it cannot be built, the first check says why, and the others are not run.
    """
    for check in checks_of(subject.kind):
        yield outcome_of(check, subject)


def check_names(kind: Kind, reasons: Mapping[str, str]) -> None:
    """Refuse expected failures that name no check, or give no reason.

    Args:
        kind: generator, scorer or boundary.
        reasons: name of a check -> why it fails.

    Raises:
        UserError: the message names the check.
    """
    known = [check.name for check in checks_of(kind)]
    for name, reason in reasons.items():
        if name not in known:
            raise UserError(
                f"there is no check '{visible(name)}' of a {kind}.{nearest(name, known)} "
                f"Checks: {listed(known, len(known))}"
            )
        if not isinstance(reason, str) or not reason.strip():
            raise UserError(f"the expected failure of '{name}' needs a reason, in words")
