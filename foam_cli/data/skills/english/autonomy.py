"""Autonomy in English: kinds of tasks, and tasks that are worked through with tools."""

from foam_cli.data.skills.autonomy import Autonomy
from foam_cli.data.skills.english import tasks_money, tasks_numbers, tasks_tables, tasks_time, tasks_tracking
from foam_cli.data.skills.english.loops import loop

SHARE, LOOP_SHARE = 0.4, 0.2


def autonomy() -> Autonomy:
    """Make the skill.

    Returns:
        It.
    """
    kinds = {
        **tasks_numbers.KINDS,
        **tasks_money.KINDS,
        **tasks_time.KINDS,
        **tasks_tables.KINDS,
        **tasks_tracking.KINDS,
    }
    return Autonomy(share=SHARE, kinds=dict(kinds), loop_share=LOOP_SHARE, loop=loop)
