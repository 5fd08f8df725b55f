package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// target is one proxy under load.
type target struct {
	name   string
	goal   float64 // 0: none
	calls  int     // of hooks for each request
	proc   *process
	client *client

	rounds []round
	ratios []float64 // to the bare proxy's round beside it
	peak   int64
	tally  tally
	sent   int
	lost   int64 // calls of hooks that should have been and were not
}

// round is what one round cost: CPU for each unit, allocations for each request.
type round struct {
	cpu    time.Duration
	allocs float64
	bytes  float64
}

// result is a case with all that was measured; the first target is the bare proxy.
type result struct {
	load    load
	targets []*target
}

// measure runs one case with fresh processes.
func measure(ctx context.Context, l load, o options) (r result, err error) {
	up, err := start(ctx, spec{Role: roleUpstream, Pause: l.pause, Dialect: l.direction().upstream})
	if err != nil {
		return r, err
	}
	r.load = l
	defer func() {
		for _, t := range r.targets {
			t.client.close()
			err = errors.Join(err, t.proc.stop())
		}
		err = errors.Join(err, up.stop())
	}()
	if err := r.addTargets(ctx, o, "http://"+up.addr); err != nil {
		return r, err
	}
	if err := r.warmUp(ctx); err != nil {
		return r, err
	}
	if err := r.profile(o.cpuProfile, doCPUProfile); err != nil {
		return r, err
	}
	for n := range o.rounds {
		if err := r.pairs(ctx, n%2 == 1); err != nil {
			return r, err
		}
	}
	err = r.profile(o.memProfile, doMemProfile)
	return r, err
}

// addTargets starts the bare proxy and one proxy for each variant.
func (r *result) addTargets(ctx context.Context, o options, upstream string) error {
	add := func(t *target, s spec, path string) error {
		s.Upstream = upstream
		proc, err := start(ctx, s)
		if err != nil {
			return err
		}
		t.proc, t.client = proc, newClient(proc.addr, path, r.load)
		t.client.converted = s.Role == roleProxied && r.load.direction().converts()
		r.targets = append(r.targets, t)
		return nil
	}
	way := r.load.direction()
	path := pathOf(way.client)
	if err := add(&target{name: "bare"}, spec{Role: roleBare}, path); err != nil {
		return err
	}
	for _, v := range variants(r.load, o) {
		t := &target{name: v.name, goal: r.load.goal, calls: v.hookCalls(r.load)}
		if v.chunks {
			t.goal = 0 // it hands every event to another goroutine, which is what was asked of it
		}
		s := spec{Role: roleProxied, Hooks: v.hooks, Chunks: v.chunks}
		if err := add(t, s, "/"+providerOf(way.upstream)+path); err != nil {
			return err
		}
	}
	return nil
}

// warmUp fills pools and connections. Its errors are not counted but make no sense to go on with.
func (r *result) warmUp(ctx context.Context) error {
	for _, t := range r.targets {
		if sum := t.client.drive(ctx, max(r.load.requests/4, r.load.workers)); sum.first != nil {
			return fmt.Errorf("%s: %w", t.name, sum.first)
		}
	}
	return nil
}

// pairs runs every variant beside the bare proxy, in turns the one or the other first.
func (r *result) pairs(ctx context.Context, bareFirst bool) error {
	bare := r.targets[0]
	for _, t := range r.targets[1:] {
		first, second := t, bare
		if bareFirst {
			first, second = bare, t
		}
		for _, next := range [...]*target{first, second} {
			if err := next.run(ctx, r.load); err != nil {
				return fmt.Errorf("%s: %w", next.name, err)
			}
		}
		own, base := t.rounds[len(t.rounds)-1].cpu, bare.rounds[len(bare.rounds)-1].cpu
		t.ratios = append(t.ratios, float64(own)/float64(max(base, 1)))
	}
	return nil
}

// run makes one round. Wrong answers are counted; the error is one of the measurement itself.
func (t *target) run(ctx context.Context, l load) error {
	before, err := t.proc.usage()
	if err != nil {
		return err
	}
	sum := t.client.drive(ctx, l.requests)
	after, err := t.proc.usage()
	if err != nil {
		return err
	}
	n := float64(l.requests)
	t.rounds = append(t.rounds, round{
		cpu:    time.Duration(float64(after.CPU-before.CPU) / l.units(l.requests)),
		allocs: float64(after.Allocs-before.Allocs) / n,
		bytes:  float64(after.Bytes-before.Bytes) / n,
	})
	t.peak = after.PeakRSS
	t.sent += l.requests
	t.lost += int64(t.calls*l.requests) - (after.Hooks - before.Hooks)
	t.tally.add(sum)
	return ctx.Err()
}

// profile has the bare proxy and the first variant write one.
func (r *result) profile(path, do string) error {
	if path == "" {
		return nil
	}
	_, err := r.targets[0].proc.do(command{Do: do, Path: path + ".bare"})
	if err != nil {
		return err
	}
	_, err = r.targets[1].proc.do(command{Do: do, Path: path})
	return err
}
