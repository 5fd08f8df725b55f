package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// process is a measured process, seen from outside.
type process struct {
	addr string
	cmd  *exec.Cmd
	in   io.WriteCloser
	ask  *json.Encoder
	told *json.Decoder
}

// start runs this program once more, as what s says, and waits until it is ready.
func start(ctx context.Context, s spec) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self) //nolint:gosec // it is this program
	cmd.Env = append(os.Environ(), specVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 5 * time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, in: in, ask: json.NewEncoder(in), told: json.NewDecoder(out)}
	var ready reply
	if err := p.told.Decode(&ready); err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not start: %w", s.Role, err), p.stop())
	}
	p.addr = ready.Addr
	return p, nil
}

// do gives the process a command and returns its reply.
func (p *process) do(cmd command) (reply, error) {
	var r reply
	if err := p.ask.Encode(cmd); err != nil {
		return r, err
	}
	if err := p.told.Decode(&r); err != nil {
		return r, fmt.Errorf("%s: %w", cmd.Do, err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("%s: %s", cmd.Do, r.Error)
	}
	return r, nil
}

func (p *process) usage() (usage, error) {
	r, err := p.do(command{Do: doUsage})
	return r.Usage, err
}

func (p *process) url() string { return "http://" + p.addr }

// stop tells the process to end, and sees to it.
func (p *process) stop() error {
	_ = p.in.Close() // a process that is gone has closed it
	late := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	return p.cmd.Wait()
}

// site is a proxy with its upstream.
type site struct {
	upstream, proxy *process
}

// open starts an upstream and a proxy in front of it, each as a process.
func open(ctx context.Context, s spec) (*site, error) {
	up, err := start(ctx, spec{Role: roleUpstream})
	if err != nil {
		return nil, err
	}
	s.Upstream = up.url()
	proxy, err := start(ctx, s)
	if err != nil {
		return nil, errors.Join(err, up.stop())
	}
	return &site{upstream: up, proxy: proxy}, nil
}

func (st *site) close() error { return errors.Join(st.proxy.stop(), st.upstream.stop()) }
