package check

import (
	"errors"

	"github.com/medusa-deploy/medusa-deploy/internal/check/medusa"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// judgeMedusa gives what is wrong with how a Medusa app is built and run; nothing for any other app.
func judgeMedusa(req release.CheckRequest, seen *look) []release.Finding {
	m := seen.medusa
	if !m.present {
		return nil
	}
	d := dockerfile{path: req.Dockerfile}
	var findings []release.Finding
	for _, t := range m.tasks {
		for _, rule := range []func(medusaTask) []release.Finding{
			judgeNeeded, judgeKnownSecrets, judgePlainSecrets, judgeCORS, judgeFiles, judgeRace, judgeDevelop, judgeMemory,
			judgeSlowStart, judgeLiveness(m.app), judgeTelemetry,
		} {
			findings = append(findings, rule(t)...)
		}
	}
	findings = append(findings, judgeInMemory(m)...)
	findings = append(findings, judgeModes(req.Target, m)...)
	findings = append(findings, judgeMigration(req.Target, m)...)
	findings = append(findings, judgeServerDir(m, d, seen.build.instructions)...)
	findings = append(findings, judgeNode(m, d, seen.build.instructions)...)
	findings = append(findings, judgeAdmin(m, d)...)
	return byCode(append(findings, judgeConfig(m)...))
}

// judgeConfig says that a config could not be judged, and why.
func judgeConfig(m medusaLook) []release.Finding {
	if m.unjudged == nil {
		return nil
	}
	cure := "nothing to do when it is meant that way; to have it judged, let it depend on process.env alone"
	var unsure *medusa.Unsure
	if !errors.As(m.unjudged, &unsure) {
		cure = "see whether `npx medusa build` takes it, and whether it names a variable that the task definition lacks"
	}
	return one(finding(codeConfig, m.app.Config, m.unjudged.Error(),
		"its modules, secrets, CORS and worker mode are not judged", cure))
}
