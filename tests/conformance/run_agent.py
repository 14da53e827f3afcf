#!/usr/bin/env python3
"""Runs the recorded agent conformance cases against kvasir-agent and keeps the counts from falling.

    tests/conformance/run_agent.py [--agent PATH] [--group G] [--update]

The cases lie beside the project (../shared/conformance/agent, or $KVASIR_AGENT_CONFORMANCE). Without them the exit code is 77,
which ctest shows as skipped. agent-ratchet.json holds the cases passed per group; fewer is a failure, more asks for --update.
Cases named in agent-deviations.md fail on purpose and are taken out of the comparison.
"""
import argparse
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RATCHET = os.path.join(HERE, 'agent-ratchet.json')
SKIPPED = 77
SECONDS = 840  # a busy machine needs more than the runner's own bound, and a case that was not begun says nothing


def find_cases():
    for folder in (os.environ.get('KVASIR_AGENT_CONFORMANCE'), os.path.join(ROOT, '..', 'shared', 'conformance', 'agent')):
        if folder and os.path.exists(os.path.join(folder, 'run.py')):
            return folder
    return None


def deviations():
    with open(os.path.join(HERE, 'agent-deviations.md'), encoding='utf-8') as f:
        return set(re.findall(r'^\| `([a-z0-9_-]+)` \|', f.read(), re.M))


def run(runner, agent, group, jobs):
    command = [sys.executable, runner, '--agent', agent, '--jobs', str(jobs), '--budget', str(SECONDS)]
    if group:
        command += ['--group', group]
    out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    counts = {m[1]: (int(m[2]), int(m[3])) for m in re.finditer(r'^(\w+)\s+(\d+) passed\s+(\d+) failed$', out, re.M)}
    failed = re.findall(r'^FAIL (\S+)', out, re.M)
    return out, counts, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--agent', default=os.path.join(os.environ.get('KVASIR_BIN', 'build/release/bin'), 'kvasir-agent'))
    parser.add_argument('--group')
    parser.add_argument('--jobs', type=int, default=4)
    parser.add_argument('--update', action='store_true')
    args = parser.parse_args()
    folder = find_cases()
    if folder is None:
        print('skipped: no conformance cases (set KVASIR_AGENT_CONFORMANCE or put them into ../shared/conformance/agent)')
        return SKIPPED
    if not os.access(args.agent, os.X_OK):
        print(f'skipped: no agent at {args.agent}')
        return SKIPPED
    runner = os.path.join(folder, 'run.py')
    out, counts, failed = run(runner, os.path.abspath(args.agent), args.group, args.jobs)
    if not counts:
        print(out[-2000:])
        return 1
    on_purpose = deviations()
    # A case that fails is given a second chance alone: the runner's time limits are short for a machine that is busy.
    for case in [c for c in failed if c not in on_purpose]:
        again = subprocess.run([sys.executable, runner, '--agent', os.path.abspath(args.agent), '--case', case, '--slow', '6'],
                               capture_output=True, text=True, check=False)
        if again.returncode == 0:
            failed.remove(case)
            group = next(g for g in counts if case.startswith(g + '-'))
            counts[group] = (counts[group][0] + 1, counts[group][1] - 1)
    with open(RATCHET, encoding='utf-8') as f:
        ratchet = json.load(f)
    if args.update:
        ratchet.update({group: passed for group, (passed, _) in counts.items()})
        with open(RATCHET, 'w', encoding='utf-8') as f:
            json.dump(dict(sorted(ratchet.items())), f, indent=1)
            f.write('\n')
    fell = [g for g, (passed, _) in counts.items() if passed < ratchet.get(g, 0)]
    for group, (passed, lost) in sorted(counts.items()):
        print(f'{group:24} {passed:4} passed {lost:4} failed   (ratchet {ratchet.get(group, 0)})')
    for case in failed:
        print(('deliberate: ' if case in on_purpose else 'FAILED: ') + case)
    print(f'{sum(p for p, _ in counts.values())} passed, {sum(l for _, l in counts.values())} failed')
    if fell:
        print('fewer than before in: ' + ', '.join(fell))
        print(out[-4000:])
    return 1 if fell else 0


if __name__ == '__main__':
    sys.exit(main())
