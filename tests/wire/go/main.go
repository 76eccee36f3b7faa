// A client-go program that speaks protobuf: informers, typed clients, errors, metadata, leader election.
// It panics where the server answers otherwise than it should. test_go.py says how to build it.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("%T %v", err, err))
	}
}

func check(ok bool, what string, args ...interface{}) {
	if !ok {
		panic(fmt.Sprintf(what, args...))
	}
}

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	must(err)
	jsonConfig := rest.CopyConfig(config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf"
	config.QPS = 100
	client := kubernetes.NewForConfigOrDie(config)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	made, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "go-"}}, metav1.CreateOptions{})
	must(err)
	ns := made.Name
	fmt.Println("namespace", ns, made.ResourceVersion, made.CreationTimestamp)

	// informers over protobuf
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(ns))
	told := make(chan string, 100)
	pods := factory.Core().V1().Pods().Informer()
	pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o interface{}) { told <- "add " + o.(*corev1.Pod).Name },
		UpdateFunc: func(_, o interface{}) {
			p := o.(*corev1.Pod)
			for _, c := range p.Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
					told <- "ready " + p.Name + " " + p.Status.PodIP
				}
			}
		},
		DeleteFunc: func(o interface{}) { told <- "delete" },
	})
	factory.Apps().V1().StatefulSets().Informer()
	factory.Core().V1().ConfigMaps().Informer()
	factory.Core().V1().Nodes().Informer()
	factory.Start(ctx.Done())
	for t, ok := range factory.WaitForCacheSync(ctx.Done()) {
		check(ok, "no sync of %v", t)
	}
	nodes, err := factory.Core().V1().Nodes().Lister().List(labels.Everything())
	must(err)
	fmt.Println("nodes", len(nodes), nodes[0].Status.Capacity.Cpu(), nodes[0].Status.NodeInfo.KubeletVersion)

	zero, one := int64(0), int32(1)
	spec := corev1.PodSpec{TerminationGracePeriodSeconds: &zero, Containers: []corev1.Container{{Name: "web", Image: "example.com/web:1"}}}
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "db"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: &one, ServiceName: "db",
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "db"}}, Spec: spec},
		},
	}
	for i := 0; ; i++ {
		if _, err = client.CoreV1().ServiceAccounts(ns).Get(ctx, "default", metav1.GetOptions{}); err == nil || i > 200 {
			break
		}
		check(apierrors.IsNotFound(err), "not found expected: %v", err)
		time.Sleep(20 * time.Millisecond)
	}
	got, err := client.AppsV1().StatefulSets(ns).Create(ctx, set, metav1.CreateOptions{})
	must(err)
	check(got.Spec.PodManagementPolicy == "OrderedReady", "not defaulted: %v", got.Spec)
	for line := range told {
		fmt.Println("informer:", line)
		if len(line) > 5 && line[:5] == "ready" {
			break
		}
	}
	// errors over protobuf
	_, err = client.AppsV1().StatefulSets(ns).Create(ctx, set, metav1.CreateOptions{})
	check(apierrors.IsAlreadyExists(err), "exists: %v", err)
	got.ResourceVersion = "1"
	_, err = client.AppsV1().StatefulSets(ns).Update(ctx, got, metav1.UpdateOptions{})
	check(apierrors.IsConflict(err), "conflict: %v", err)
	bad := set.DeepCopy()
	bad.Name, bad.Spec.Template.Spec.RestartPolicy = "bad", "Sometimes"
	_, err = client.AppsV1().StatefulSets(ns).Create(ctx, bad, metav1.CreateOptions{})
	check(apierrors.IsInvalid(err), "invalid: %v", err)
	fmt.Println("invalid:", err, err.(*apierrors.StatusError).ErrStatus.Details.Causes[0].Field)
	// patch, scale, pages, table-free list
	_, err = client.CoreV1().ConfigMaps(ns).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Data: map[string]string{"a": "1"}, BinaryData: map[string][]byte{"b": {0, 255}}}, metav1.CreateOptions{})
	must(err)
	cm, err := client.CoreV1().ConfigMaps(ns).Patch(ctx, "a", types.MergePatchType, []byte(`{"data":{"c":"2"}}`), metav1.PatchOptions{})
	must(err)
	check(cm.Data["c"] == "2" && cm.BinaryData["b"][1] == 255, "patched: %v", cm)
	scale, err := client.AppsV1().StatefulSets(ns).GetScale(ctx, "db", metav1.GetOptions{})
	must(err)
	scale.Spec.Replicas = 2
	_, err = client.AppsV1().StatefulSets(ns).UpdateScale(ctx, "db", scale, metav1.UpdateOptions{})
	must(err)
	page, err := client.CoreV1().ConfigMaps(ns).List(ctx, metav1.ListOptions{Limit: 1})
	must(err)
	check(len(page.Items) == 1 && page.Continue != "", "page: %v", page.ListMeta)
	version, err := client.Discovery().ServerVersion()
	must(err)
	_, resources, err := client.Discovery().ServerGroupsAndResources()
	must(err)
	fmt.Println("version", version.GitVersion, "groups", len(resources))
	_, err = client.Discovery().OpenAPISchema()
	must(err)
	logs, err := client.CoreV1().Pods(ns).GetLogs("db-0", &corev1.PodLogOptions{}).DoRaw(ctx)
	must(err)
	fmt.Printf("log %q\n", logs)

	// metadata informer
	meta := metadata.NewForConfigOrDie(jsonConfig)
	list, err := meta.Resource(appsv1.SchemeGroupVersion.WithResource("statefulsets")).Namespace(ns).List(ctx, metav1.ListOptions{})
	must(err)
	check(len(list.Items) == 1 && list.Items[0].Name == "db", "metadata: %v", list)

	// leader election
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, ns, "lock", client.CoreV1(), client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: "me"})
	must(err)
	electing, resign := context.WithCancel(ctx)
	leaderelection.RunOrDie(electing, leaderelection.LeaderElectionConfig{
		Lock: lock, ReleaseOnCancel: true, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { fmt.Println("leads"); resign() },
			OnStoppedLeading: func() { fmt.Println("stopped") },
		},
	})
	lease, err := client.CoordinationV1().Leases(ns).Get(ctx, "lock", metav1.GetOptions{})
	must(err)
	fmt.Println("lease", lease.Spec.RenewTime, *lease.Spec.LeaseTransitions)

	foreground := metav1.DeletePropagationForeground
	must(client.AppsV1().StatefulSets(ns).Delete(ctx, "db", metav1.DeleteOptions{PropagationPolicy: &foreground}))
	for line := range told {
		if line == "delete" {
			fmt.Println("informer: deleted")
			break
		}
	}
	must(client.CoreV1().ConfigMaps(ns).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	must(client.CoreV1().Namespaces().Delete(ctx, ns, metav1.DeleteOptions{}))
	fmt.Println("ALL GOOD")
}
