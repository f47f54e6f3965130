package check_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// overlays and the roles that each runs.
var overlays = map[string][]string{"single": {"all"}, "scaled": {"correlate", "ingest", "triage"}}

// decode reads one document with the types of the API; unknown and repeated fields are errors.
func decode(t *testing.T, where string, document []byte) runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, autoscalingv2.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	obj, _, err := strict.Decode(document, nil, nil)
	if err != nil {
		t.Errorf("%s: %v\n%s", where, err, document)
		return nil
	}
	return obj
}

// manifest is what an overlay comes to.
type manifest struct {
	deployments []*appsv1.Deployment
	services    []*corev1.Service
	policies    []*networkingv1.NetworkPolicy
	budgets     []*policyv1.PodDisruptionBudget
	scalers     []*autoscalingv2.HorizontalPodAutoscaler
	configs     []*corev1.ConfigMap
	accounts    []*corev1.ServiceAccount
	namespaces  []*corev1.Namespace
}

// build runs kustomize on an overlay and decodes what comes of it.
func build(t *testing.T, overlay string) manifest {
	t.Helper()
	result, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(deploy, "kubernetes", "overlays", overlay))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	for _, r := range result.Resources() {
		document, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if ns := r.GetNamespace(); ns != "tocsin" && r.GetKind() != "Namespace" {
			t.Errorf("%s %s is in the namespace %q", r.GetKind(), r.GetName(), ns)
		}
		switch x := decode(t, overlay+" "+r.GetName(), document).(type) {
		case *appsv1.Deployment:
			m.deployments = append(m.deployments, x)
		case *corev1.Service:
			m.services = append(m.services, x)
		case *networkingv1.NetworkPolicy:
			m.policies = append(m.policies, x)
		case *policyv1.PodDisruptionBudget:
			m.budgets = append(m.budgets, x)
		case *autoscalingv2.HorizontalPodAutoscaler:
			m.scalers = append(m.scalers, x)
		case *corev1.ConfigMap:
			m.configs = append(m.configs, x)
		case *corev1.ServiceAccount:
			m.accounts = append(m.accounts, x)
		case *corev1.Namespace:
			m.namespaces = append(m.namespaces, x)
		default:
			t.Errorf("%s: nothing is known of %s %s here", overlay, r.GetKind(), r.GetName())
		}
	}
	return m
}

func TestEveryFileOfKubernetesDecodesStrictly(t *testing.T) {
	n := 0
	err := filepath.WalkDir(filepath.Join(deploy, "kubernetes"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || slices.Contains([]string{"kustomization.yaml", "tocsin.yaml"}, e.Name()) {
			return err
		}
		for document := range strings.SplitSeq(read(t, path), "\n---\n") {
			n++
			decode(t, path, []byte(document))
		}
		return nil
	})
	if err != nil || n < 15 {
		t.Errorf("%d documents, %v", n, err)
	}
}

func TestEveryOverlayRunsItsRolesWithCommandsThatExist(t *testing.T) {
	for overlay, want := range overlays {
		var got []string
		for _, d := range build(t, overlay).deployments {
			for _, c := range d.Spec.Template.Spec.Containers {
				checkCommand(t, overlay+" "+d.Name, c.Args)
				got = append(got, value(c.Args, "--role"))
			}
			if role := d.Labels["app.kubernetes.io/component"]; role != value(d.Spec.Template.Spec.Containers[0].Args, "--role") {
				t.Errorf("%s is called the component %s and runs another role", d.Name, role)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s runs the roles %v, want %v", overlay, got, want)
		}
	}
}

func TestEveryPodIsConfined(t *testing.T) {
	user, _, _ := strings.Cut(readImage(t).user, ":")
	for overlay := range overlays {
		m := build(t, overlay)
		for _, a := range m.accounts {
			if a.AutomountServiceAccountToken == nil || *a.AutomountServiceAccountToken {
				t.Errorf("account %s gives its token to pods", a.Name)
			}
		}
		for _, n := range m.namespaces {
			if n.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
				t.Errorf("namespace %s does not enforce the restricted profile", n.Name)
			}
		}
		for _, d := range m.deployments {
			pod := d.Spec.Template.Spec
			where := overlay + " " + d.Name
			if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken || pod.ServiceAccountName != "tocsin" {
				t.Errorf("%s gets a token of Kubernetes", where)
			}
			if pod.HostNetwork || pod.HostPID || pod.HostIPC {
				t.Errorf("%s shares the host's namespaces", where)
			}
			s := pod.SecurityContext
			if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || fmt.Sprint(*s.RunAsUser) != user || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s: want user %s of the image, not root, and the runtime's seccomp profile", where, user)
			}
			if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 {
				t.Errorf("%s: want one container", where)
			}
			for _, c := range pod.Containers {
				s := c.SecurityContext
				if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
					s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) != 0 {
					t.Errorf("%s: want a read-only root, no privileges to gain and no capabilities", where)
				}
				for _, v := range c.VolumeMounts {
					i := slices.IndexFunc(pod.Volumes, func(x corev1.Volume) bool { return x.Name == v.Name })
					if i < 0 || !v.ReadOnly && pod.Volumes[i].EmptyDir == nil {
						t.Errorf("%s: %s mounts a volume that is not there, or writes where it must not", where, v.MountPath)
					}
				}
				for _, e := range c.Env {
					if secretName.MatchString(e.Name) {
						t.Errorf("%s: %s is in the environment: secrets are files", where, e.Name)
					}
				}
			}
		}
	}
}

func TestEveryContainerHasLimitsAndProbesOnPortsThatTheProgramHas(t *testing.T) {
	exposed := readImage(t).ports
	cfg := load(t, filepath.Join(deploy, "kubernetes", "base", "tocsin.yaml"))
	for overlay := range overlays {
		m := build(t, overlay)
		for _, d := range m.deployments {
			c := d.Spec.Template.Spec.Containers[0]
			where := overlay + " " + d.Name
			for _, r := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
				most, asked := c.Resources.Limits[r], c.Resources.Requests[r]
				if most.IsZero() || asked.IsZero() || asked.Cmp(most) > 0 {
					t.Errorf("%s: %s is asked for %s and limited to %s", where, r, asked.String(), most.String())
				}
			}
			for _, e := range c.Env {
				if e.Name == "GOMEMLIMIT" {
					checkSoftLimit(t, where, e.Value, c.Resources.Limits.Memory().Value())
				}
			}
			ports := map[string]string{}
			for _, p := range c.Ports {
				ports[p.Name] = fmt.Sprint(p.ContainerPort)
				if !slices.Contains(exposed, ports[p.Name]) {
					t.Errorf("%s: the image does not expose %s", where, ports[p.Name])
				}
			}
			if ports["console"] != port(t, cfg.Console.Listen) || ports["metrics"] != port(t, cfg.Telemetry.Listen) {
				t.Errorf("%s has the ports %v, the configuration listens on %s and %s", where, ports, cfg.Console.Listen, cfg.Telemetry.Listen)
			}
			for path, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe, "/healthz ": c.StartupProbe} {
				if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != strings.TrimSpace(path) || probe.HTTPGet.Port.String() != "metrics" {
					t.Errorf("%s: want a probe of %s on the port of the metrics", where, path)
				}
			}
		}
		for _, s := range m.services {
			if !slices.ContainsFunc(m.deployments, func(d *appsv1.Deployment) bool { return matches(s.Spec.Selector, d) }) {
				t.Errorf("%s: service %s selects no pod", overlay, s.Name)
			}
			for _, p := range s.Spec.Ports {
				if want := map[string]string{"console": port(t, cfg.Console.Listen), "metrics": port(t, cfg.Telemetry.Listen)}[p.TargetPort.String()]; want != fmt.Sprint(p.Port) {
					t.Errorf("%s: service %s leads %d to %s", overlay, s.Name, p.Port, p.TargetPort.String())
				}
			}
		}
	}
}

func matches(selector map[string]string, d *appsv1.Deployment) bool {
	return labels.SelectorFromSet(selector).Matches(labels.Set(d.Spec.Template.Labels))
}

// selected are the names of the deployments whose pods a selector takes.
func selected(t *testing.T, s *metav1.LabelSelector, m manifest) []string {
	t.Helper()
	x, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range m.deployments {
		if x.Matches(labels.Set(d.Spec.Template.Labels)) {
			out = append(out, d.Name)
		}
	}
	slices.Sort(out)
	return out
}

func TestBudgetsAndAutoscalersFitTheirDeployments(t *testing.T) {
	cfg := load(t, filepath.Join(deploy, "kubernetes", "base", "tocsin.yaml"))
	for overlay := range overlays {
		m := build(t, overlay)
		for _, d := range m.deployments {
			own := selected(t, d.Spec.Selector, m)
			if !slices.Equal(own, []string{d.Name}) {
				t.Errorf("%s: %s selects the pods of %v", overlay, d.Name, own)
			}
			budgets := 0
			for _, b := range m.budgets {
				if slices.Contains(selected(t, b.Spec.Selector, m), d.Name) {
					budgets++
				}
			}
			if budgets != 1 {
				t.Errorf("%s: %s has %d disruption budgets, want 1: with two, none of its pods can be evicted", overlay, d.Name, budgets)
			}
			scaled := slices.ContainsFunc(m.scalers, func(h *autoscalingv2.HorizontalPodAutoscaler) bool { return h.Spec.ScaleTargetRef.Name == d.Name })
			if scaled == (d.Spec.Replicas != nil) {
				t.Errorf("%s: %s must have either replicas or an autoscaler", overlay, d.Name)
			}
			if role := value(d.Spec.Template.Spec.Containers[0].Args, "--role"); role == "all" && (*d.Spec.Replicas != 1 || d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType) {
				t.Errorf("%s: one process writes the log: want one replica that ends before the next starts", overlay)
			} else if role == "triage" && *d.Spec.Replicas < 2 {
				t.Errorf("%s: triage has no standby", overlay)
			}
		}
		for _, h := range m.scalers {
			i := slices.IndexFunc(m.deployments, func(d *appsv1.Deployment) bool {
				return d.Name == h.Spec.ScaleTargetRef.Name && h.Spec.ScaleTargetRef.Kind == "Deployment"
			})
			if i < 0 {
				t.Errorf("%s: %s scales %s, which is not there", overlay, h.Name, h.Spec.ScaleTargetRef.Name)
				continue
			}
			if value(m.deployments[i].Spec.Template.Spec.Containers[0].Args, "--role") == "correlate" && int(h.Spec.MaxReplicas) > cfg.Relay.Partitions {
				t.Errorf("%s: up to %d members of correlate share %d partitions", overlay, h.Spec.MaxReplicas, cfg.Relay.Partitions)
			}
		}
	}
}

func TestTheNetworkLetsThroughWhatTheConfigurationNamesAndNothingElse(t *testing.T) {
	cfg := load(t, filepath.Join(deploy, "kubernetes", "base", "tocsin.yaml"))
	m := build(t, "scaled")
	allowed := map[string][]string{} // "namespace:port" to the deployments that may go there
	var outside, want []string
	denied := false
	for _, p := range m.policies {
		if len(p.Spec.PodSelector.MatchLabels) == 0 && len(p.Spec.PolicyTypes) == 2 && len(p.Spec.Ingress)+len(p.Spec.Egress) == 0 {
			denied = true
		}
		for _, in := range p.Spec.Ingress {
			if len(in.From) == 0 || len(in.Ports) == 0 {
				t.Errorf("%s lets everybody in", p.Name)
			}
		}
		for _, out := range p.Spec.Egress {
			if len(out.To) == 0 || len(out.Ports) == 0 {
				t.Errorf("%s lets pods out to everywhere", p.Name)
			}
			for _, to := range out.To {
				if to.IPBlock != nil {
					outside = append(outside, to.IPBlock.CIDR)
					if from := selected(t, &p.Spec.PodSelector, m); !slices.Equal(from, []string{"tocsin-triage"}) {
						t.Errorf("%s lets %v out to endpoints", p.Name, from)
					}
				}
				if to.NamespaceSelector == nil {
					continue
				}
				for _, x := range out.Ports {
					key := to.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] + ":" + x.Port.String()
					allowed[key] = append(allowed[key], selected(t, &p.Spec.PodSelector, m)...)
				}
			}
		}
	}
	if !denied {
		t.Error("nothing denies what is not allowed")
	}
	for _, address := range append(slices.Clone(cfg.Kafka.Brokers), cfg.ClickHouse.Addr...) {
		host, p, _ := strings.Cut(address, ":")
		parts := strings.Split(host, ".") // service.namespace.svc
		if got := allowed[parts[1]+":"+p]; len(got) != len(m.deployments) {
			t.Errorf("only %v may go to %s", got, address)
		}
	}
	for _, e := range cfg.Triage.Endpoints {
		want = append(want, e.AllowCIDRs...)
	}
	if !slices.Equal(outside, want) {
		t.Errorf("pods may go to the networks %v, endpoints are in %v", outside, want)
	}
}

func TestTheConfigurationInTheMapLoadsAndItsSecretsAreInTheSecret(t *testing.T) {
	object, ok := decode(t, "secret.example.yaml", []byte(read(t, filepath.Join(deploy, "kubernetes", "secret.example.yaml")))).(*corev1.Secret)
	if !ok {
		t.Fatal("secret.example.yaml is not a Secret")
	}
	for key, v := range object.StringData {
		if v != "" {
			t.Errorf("the example has a value for %s", key)
		}
	}
	for overlay := range overlays {
		m := build(t, overlay)
		if len(m.configs) != 1 {
			t.Fatalf("%s has %d maps of configuration, want 1", overlay, len(m.configs))
		}
		text := m.configs[0].Data["tocsin.yaml"]
		file := filepath.Join(t.TempDir(), "tocsin.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := load(t, file)
		if u, err := url.Parse("//" + cfg.Console.Listen); err != nil || u.Hostname() != "0.0.0.0" || cfg.Console.TLS.Cert == "" || len(cfg.Console.Hosts) == 0 {
			t.Errorf("%s: the console cannot be reached: %+v", overlay, cfg.Console)
		}
		for _, d := range m.deployments {
			pod := d.Spec.Template.Spec
			places := map[string]corev1.Volume{}
			for _, mount := range pod.Containers[0].VolumeMounts {
				for _, v := range pod.Volumes {
					if v.Name == mount.Name {
						places[mount.MountPath] = v
					}
				}
			}
			if c := places["/etc/tocsin"].ConfigMap; c == nil || c.Name != m.configs[0].Name || value(pod.Containers[0].Args, "--config") != "/etc/tocsin/tocsin.yaml" {
				t.Errorf("%s: %s does not read the map %s", overlay, d.Name, m.configs[0].Name)
			}
			secret := places["/run/secrets/tocsin"].Secret
			if secret == nil || secret.SecretName != object.Name {
				t.Errorf("%s: %s does not mount the secret %s", overlay, d.Name, object.Name)
			}
		}
		files := regexp.MustCompile(`/run/secrets/tocsin/([A-Za-z0-9._-]+)`).FindAllStringSubmatch(text, -1)
		if len(files) < 4 {
			t.Errorf("%s: only %d secrets in the configuration", overlay, len(files))
		}
		for _, f := range files {
			if _, ok := object.StringData[f[1]]; !ok || len(validation.IsConfigMapKey(f[1])) > 0 {
				t.Errorf("the example of the secret has no %s", f[1])
			}
		}
	}
}
