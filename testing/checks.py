"""List the checks of each kind of plugin in the order in which they run, with what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..core.errors import UserError, nearest
from ..core.messages import listed, visible
from ..core.plugins.plugin_info import Kind
from . import (
    any_plugin,
    edit_checks,
    engine_checks,
    generator_checks,
    inverter_checks,
    learner_checks,
    scorer_checks,
    tuning_checks,
)
from .kit import Check, Outcome, Run, outcome_of
from .subject import Subject

Table = dict[Run, tuple[Run, ...]]  # a check, and those on which it rests

_EVERY: Table = {
    any_plugin.declarations_are_complete: (),
    any_plugin.config_is_strict: (),
}
_GENERATOR: Table = _EVERY | {
    generator_checks.card_says_where_it_comes_from: (),
    any_plugin.networks_are_in_evaluation_mode: (),
    generator_checks.samples_follow_from_seed_and_index: (),
    generator_checks.pictures_can_be_made: (generator_checks.samples_follow_from_seed_and_index,),
    generator_checks.inputs_are_left_alone: (generator_checks.pictures_can_be_made,),
    generator_checks.global_random_state_is_untouched: (generator_checks.pictures_can_be_made,),
    generator_checks.pictures_are_as_the_card_says: (generator_checks.pictures_can_be_made,),
    generator_checks.feature_maps_have_the_size_of_their_stratum: (generator_checks.pictures_can_be_made,),
    generator_checks.picture_can_be_made_again: (
        generator_checks.pictures_can_be_made,
        any_plugin.networks_are_in_evaluation_mode,
        generator_checks.samples_follow_from_seed_and_index,
        generator_checks.global_random_state_is_untouched,
        generator_checks.inputs_are_left_alone,
    ),
    generator_checks.batch_does_not_change_a_picture: (generator_checks.picture_can_be_made_again,),
    edit_checks.edit_changes_nothing_before_its_layer: (generator_checks.picture_can_be_made_again,),
    edit_checks.edit_equals_a_full_pass: (edit_checks.edit_changes_nothing_before_its_layer,),
    edit_checks.every_layer_matters: (generator_checks.picture_can_be_made_again,),
    edit_checks.gradients_reach_the_codes: (edit_checks.every_layer_matters,),
    edit_checks.styles_are_those_of_the_strata: (generator_checks.picture_can_be_made_again,),
    tuning_checks.given_noise_takes_the_place_of_its_own: (generator_checks.picture_can_be_made_again,),
    tuning_checks.tunable_weights_are_those_of_the_picture: (edit_checks.gradients_reach_the_codes,),
    generator_checks.autocast_is_close: (generator_checks.picture_can_be_made_again,),
    generator_checks.everything_is_on_its_device: (generator_checks.pictures_can_be_made,),
    any_plugin.missing_file_is_named: (),
}
_SCORER: Table = _EVERY | {
    any_plugin.networks_are_in_evaluation_mode: (),
    scorer_checks.scores_are_a_table: (),
    scorer_checks.pictures_are_left_alone: (scorer_checks.scores_are_a_table,),
    scorer_checks.global_random_state_is_untouched: (scorer_checks.pictures_are_left_alone,),
    scorer_checks.score_can_be_repeated: (
        scorer_checks.pictures_are_left_alone,
        any_plugin.networks_are_in_evaluation_mode,
        scorer_checks.global_random_state_is_untouched,
    ),
    scorer_checks.order_does_not_change_a_score: (scorer_checks.score_can_be_repeated,),
    scorer_checks.batch_does_not_change_a_score: (scorer_checks.order_does_not_change_a_score,),
    scorer_checks.other_sizes_are_scored_or_refused: (scorer_checks.pictures_are_left_alone,),
    scorer_checks.extreme_pictures_are_scored: (scorer_checks.pictures_are_left_alone,),
    scorer_checks.feature_maps_lead_back_to_pictures: (any_plugin.networks_are_in_evaluation_mode,),
    scorer_checks.everything_is_on_its_device: (scorer_checks.scores_are_a_table,),
    any_plugin.missing_file_is_named: (),
}
_LEARNER: Table = _EVERY | {
    learner_checks.number_of_samples_is_accepted: (),
    learner_checks.boundaries_are_as_the_contract_says: (learner_checks.number_of_samples_is_accepted,),
    learner_checks.inputs_are_left_alone: (learner_checks.boundaries_are_as_the_contract_says,),
    learner_checks.planted_directions_are_recovered: (learner_checks.inputs_are_left_alone,),
    learner_checks.learning_again_gives_the_same: (learner_checks.inputs_are_left_alone,),
    learner_checks.noise_is_at_chance: (learner_checks.boundaries_are_as_the_contract_says,),
    learner_checks.one_class_is_refused: (learner_checks.boundaries_are_as_the_contract_says,),
    learner_checks.samples_without_a_score_are_left_out: (learner_checks.planted_directions_are_recovered,),
}
_ENGINE: Table = _EVERY | {
    engine_checks.workers_can_be_counted: (),
    engine_checks.every_job_has_one_outcome: (engine_checks.workers_can_be_counted,),
    engine_checks.no_process_is_left_behind: (engine_checks.every_job_has_one_outcome,),
}
_INVERTER: Table = _EVERY | {
    any_plugin.networks_are_in_evaluation_mode: (),
    inverter_checks.step_is_declared: (),
    inverter_checks.inversion_fits_the_generator: (inverter_checks.step_is_declared,),
    inverter_checks.latent_is_that_of_the_codes: (inverter_checks.inversion_fits_the_generator,),
    inverter_checks.start_and_generator_are_left_alone: (inverter_checks.inversion_fits_the_generator,),
    inverter_checks.inverting_again_gives_the_same: (inverter_checks.start_and_generator_are_left_alone,),
    inverter_checks.batch_does_not_change_a_result: (inverter_checks.inverting_again_gives_the_same,),
    inverter_checks.seed_decides_what_is_drawn: (inverter_checks.inverting_again_gives_the_same,),
    inverter_checks.refining_brings_pictures_nearer: (inverter_checks.start_and_generator_are_left_alone,),
    inverter_checks.steps_are_told: (inverter_checks.inversion_fits_the_generator,),
    inverter_checks.missing_start_is_named: (inverter_checks.step_is_declared,),
    inverter_checks.generator_without_gradients_is_refused: (inverter_checks.step_is_declared,),
    any_plugin.missing_file_is_named: (),
}


def _checks(kind: Kind, table: Table) -> tuple[Check, ...]:
    """Return the checks of a table, in its order."""

    def check(run: Run) -> Check:
        return Check(kind, run, tuple(check(other) for other in table[run]))

    return tuple(check(run) for run in table)


CHECKS: Mapping[Kind, tuple[Check, ...]] = {
    "generator": _checks("generator", _GENERATOR),
    "scorer": _checks("scorer", _SCORER),
    "boundary": _checks("boundary", _LEARNER),
    "engine": _checks("engine", _ENGINE),
    "inverter": _checks("inverter", _INVERTER),
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

    If it cannot be built, the first check says why, and the others are not judged.
    """
    for check in checks_of(subject.kind):
        yield outcome_of(check, subject)


def check_names(kind: Kind, reasons: Mapping[str, str]) -> None:
    """Refuse expected failures that name no check, or give no reason.

    Args:
        kind: generator, scorer, boundary, engine or inverter.
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
