package serve

import (
	"context"
	"net/http"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// watchKubelet reports the moment in which the kubelet runs.
func (s *Service) watchKubelet(ctx context.Context) {
	for !s.Kubelet(ctx) {
		if !sleep(ctx, time.Second) {
			return
		}
	}
	s.out.put(agent.Report{Status: agent.StatusNoted, Mark: step.MarkKubelet, Note: "the kubelet is running"})
}

// kubeletAnswers asks the kubelet's own health endpoint (kubelet
// --healthz-port, 10248 on loopback).
func kubeletAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:10248/healthz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
