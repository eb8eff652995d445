### O que o membro lê sobre uma decisão, em português: com cortesia e em palavras simples.

## Numbers, amounts and days

money = { $amount } { $currency }
money-IRR = { $amount } { $count ->
    [one] rial iraniano
   *[other] riais iranianos
}
money-YER = { $amount } { $count ->
    [one] rial iemenita
   *[other] riais iemenitas
}
money-MAD = { $amount } { $count ->
    [one] dirham marroquino
   *[other] dirhams marroquinos
}
money-MZN = { $amount } { $count ->
    [one] metical
   *[other] meticais
}
percent = { $number }%
date = { $day } de { $month ->
    [1] Janeiro
    [2] Fevereiro
    [3] Março
    [4] Abril
    [5] Maio
    [6] Junho
    [7] Julho
    [8] Agosto
    [9] Setembro
    [10] Outubro
    [11] Novembro
   *[12] Dezembro
} de { $year }
comma = { ", " }
then = { ", " }
and = { $before } e { $last }

## Who pays

your-insurer = a sua seguradora complementar
summary = Desta factura de { $billed }, { $payers }.
line-shares = De { $billed }, { $payers }.
base-pays = a sua seguradora de base paga { $amount }
insurer-pays = { $insurer } paga { $amount }
insurer-pays-nothing = { $insurer } não paga nada
provider-waives = o provedor prescinde de { $amount }
you-pay = ficam a seu cargo { $amount }
you-pay-nothing = nada fica a seu cargo
line = Linha { $number }

total-billed = Factura: { $amount }
total-allowed = Reconhecido pelo seu seguro complementar: { $amount }
total-base = Pago pela seguradora de base: { $amount }
total-supplementary = Pago por { $insurer }: { $amount }
total-written_off = O provedor prescinde de: { $amount }
total-member = A pagar por si: { $amount }

member-pays-nothing = Não tem nada a pagar.
member-pays = Tem a pagar { $amount }: { $part }.
member-pays-sum = Tem a pagar { $amount } no total: { $parts }.
member-part = { $amount } ({ $part })
part-other = o que o seu seguro não cobre

## What is left

left-money = «{ $limit }», { $insurer }: o saldo é de { $after } num total de { $ceiling }; antes desta factura era de { $before }.
left-count = «{ $limit }», { $insurer }: { $after ->
    [one] resta { $after } unidade
   *[other] restam { $after } unidades
} num total de { $ceiling }; antes desta factura eram { $before }.
left-visits = «{ $limit }», { $insurer }: { $after ->
    [one] resta { $after } visita
   *[other] restam { $after } visitas
} num total de { $ceiling }; antes desta factura eram { $before }.
left-days = «{ $limit }», { $insurer }: { $after ->
    [one] resta { $after } dia
   *[other] restam { $after } dias
} num total de { $ceiling }; antes desta factura eram { $before }.
left-deductible = «{ $limit }», { $insurer }: dos primeiros { $ceiling }, que ficam a seu cargo, faltam { $after }; antes desta factura faltavam { $before }.
left-out-of-pocket = «{ $limit }», { $insurer }: dos { $ceiling } que paga no máximo do seu bolso, faltam { $after }; antes desta factura faltavam { $before }.
reserved = O que o seu seguro paga desta factura fica reservado para si até { $until }.

## Cover

COV-MEMBER = Não foi possível reconhecer o membro, por isso nenhum seguro complementar foi aplicado.
    .part = o membro não foi reconhecido
COV-AMBIGUOUS = Os dados enviados correspondem a mais de um membro, por isso nenhum seguro complementar foi aplicado.
    .part = não é claro a que membro pertence esta factura
COV-NONE = Não é conhecido nenhum seguro complementar em seu nome.
    .part = não é conhecido nenhum seguro complementar em seu nome
COV-INACTIVE = A sua cobertura com { $insurer } não estava em vigor no dia deste serviço.
    .told = { $insurer } não paga nada aqui, porque a sua cobertura não estava em vigor no dia do serviço.
    .part = a sua cobertura complementar não estava em vigor nesse dia
COV-SUSPENDED = A sua cobertura com { $insurer } está suspensa neste momento, por isso nada é pago.
    .part = a sua cobertura complementar está suspensa
COV-DENIED = { $insurer } indica que não está coberto, por isso nada é pago.
    .part = a sua seguradora indica que não está coberto
COV-BY-HUB = { $insurer } foi consultada sobre a sua cobertura e não respondeu; conta a cobertura tal como foi registada.
COV-AGE = O membro passou a idade até à qual { $insurer } cobre este familiar.
    .part = passou a idade até à qual este familiar está coberto

## Benefits

BEN-NONE = A apólice de { $insurer } não tem benefício para este serviço.
    .part = a sua apólice não tem benefício para este serviço
BEN-EXCLUDED = A apólice de { $insurer } exclui este serviço.
    .part = a sua apólice exclui este serviço
BEN-CLINICAL = Uma regra médica opõe-se a este serviço, e a apólice de { $insurer } não o paga nesse caso.
    .part = uma regra médica da sua apólice opõe-se a este serviço
BEN-WAITING = O período de carência de { $insurer } para este benefício ainda não passou.
    .told = A sua cobertura com { $insurer } começou em { $start }. O benefício «{ $benefit }» tem um período de carência de { $months ->
        [one] { $months } mês
       *[other] { $months } meses
    }, por isso só abre em { $opens }; este serviço foi antes desse dia.
    .part = o período de carência ainda não passou
BEN-AGE = Este benefício de { $insurer } é para outra idade.
    .told = { $ages ->
        [between] O benefício «{ $benefit }» de { $insurer } é para idades dos { $age_min } aos { $age_max } anos.
        [from] O benefício «{ $benefit }» de { $insurer } começa a partir de { $age_min ->
            [one] { $age_min } ano
           *[other] { $age_min } anos
        } de idade.
       *[to] O benefício «{ $benefit }» de { $insurer } termina depois de { $age_max ->
            [one] { $age_max } ano
           *[other] { $age_max } anos
        } de idade.
    }
    .part = este benefício é para outra idade
BEN-SEX = Este benefício de { $insurer } é apenas para o outro sexo.
    .told = O benefício «{ $benefit }» de { $insurer } é apenas para o outro sexo.
    .part = este benefício é para o outro sexo
BEN-DIAGNOSIS = Este benefício de { $insurer } é para outros diagnósticos que não os da factura.
    .told = O benefício «{ $benefit }» de { $insurer } é para outros diagnósticos que não os da factura.
    .part = este benefício é para outros diagnósticos
BEN-CARE = Este benefício de { $insurer } é para outro tipo de cuidados, como o internamento ou o ambulatório.
    .told = O benefício «{ $benefit }» de { $insurer } é para outro tipo de cuidados, como o internamento ou o ambulatório.
    .part = este benefício é para outro tipo de cuidados
NET-OUTSIDE = { $insurer } não paga este serviço neste provedor, pela posição dele na rede.
    .told = { $insurer } não paga «{ $benefit }» neste provedor, pela posição dele na rede.
    .part = a sua apólice não paga isto neste provedor

## Pre-authorisation

AUTH-MISSING = { $insurer } só paga este serviço com pré-autorização, e não existe nenhuma.
    .told = { $insurer } só paga «{ $benefit }» com pré-autorização, e não existe nenhuma.
    .part = não existe pré-autorização
AUTH-PENDED = Este serviço precisa de pré-autorização: { $insurer } ainda tem de decidir e, até lá, os valores podem mudar.
AUTH-PENALTY = Não existe pré-autorização, por isso a sua comparticipação é maior.
    .told = Não existe pré-autorização, por isso { $insurer } aumenta a sua comparticipação de { $rate } para { $penalty_rate }.
AUTH-GONE = A autorização prévia indicada na fatura expirou, foi retirada ou está esgotada.
AUTH-AMOUNT = A pré-autorização cobre menos do que foi facturado.
    .told = A pré-autorização é de { $authorised }, por isso { $insurer } reconhece { $after } em vez de { $before }.
    .part = acima do que foi autorizado

## Quantity and price

QTY-CAPPED = Só uma parte da quantidade está coberta.
    .told = { $insurer } cobre { $covered ->
        [one] { $covered } unidade
       *[other] { $covered } unidades
    } de { $asked }, ou seja, { $after } de { $before }.
    .part = a quantidade acima do que está coberto
QTY-USED = A quantidade que { $insurer } cobre está esgotada.
    .told = A quantidade que { $insurer } cobre em «{ $benefit }» está esgotada.
    .part = a quantidade coberta está esgotada
PRICE-CONTRACT = O preço está acima do preço acordado entre a seguradora e o provedor.
    .told = { $insurer } e o provedor acordaram um preço de { $price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantidade: { $quantity })
    }, por isso são reconhecidos { $after } de { $before }.
    .part = acima do preço acordado
PRICE-TARIFF = O preço está acima da tarifa.
    .told = A tarifa deste serviço é de { $price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantidade: { $quantity })
    }, por isso { $insurer } reconhece { $after } de { $before }.
    .part = acima da tarifa
PRICE-RANK = Foram feitos vários procedimentos em conjunto, por isso os menores são reconhecidos em parte.
    .told = Foram feitos vários procedimentos em conjunto, por isso { $insurer } reconhece o preço de { $price } a { $ranks }: { $after } de { $before }.
    .part = acima do que é reconhecido por procedimentos em conjunto
PRICE-PACKAGE = Este serviço tem um só preço em conjunto com outros, como pacote.
    .told = Este serviço faz parte de um pacote com um só preço (linha { $package } da factura). Segundo o que foi pedido por cada serviço, são aqui reconhecidos { $after } de { $before }; os outros números são os do pacote inteiro.
    .part = a sua parte do pacote
PRICE-REFERENCE = O preço está acima do preço-referência, que é o do genérico equivalente.
    .told = O preço-referência do genérico equivalente é de { $reference_price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantidade: { $quantity })
    }, por isso { $insurer } reconhece { $after } de { $before }.
    .part = acima do preço-referência do genérico
PRICE-UNKNOWN = Não se conhece um preço para este serviço, por isso nada foi calculado.
    .part = não se conhece um preço
PRICE-WRITTEN-OFF = O provedor prescinde do que está acima do preço acordado. Não tem de o pagar.
    .told = O provedor prescinde de { $after }, que está acima do preço acordado. Não tem de o pagar.

## The base insurer

BASE-PAID = A sua seguradora de base paga a sua parte, como consta da factura.
    .told = A sua seguradora de base paga { $after }, { $said_by ->
        [bill] como consta da factura
       *[other] como ela própria respondeu
    }.
BASE-COMPUTED = A sua seguradora de base paga a sua parte segundo a tarifa dela.
    .told = A sua seguradora de base paga { $rate } da tarifa dela, que é de { $price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantidade: { $quantity })
    }: { $after }.
BASE-SUBSIDY = Um subsídio do Estado junta-se à parte da sua seguradora de base.
    .told = Junta-se um subsídio do Estado de { $change }; com ele, a parte da sua seguradora de base é de { $after }.
BASE-SILENT = A sua seguradora de base foi consultada sobre a parte dela e não deu uma resposta que se possa usar; por isso a parte dela foi calculada segundo a tarifa.

## Your own share

SHARE-DEDUCTIBLE = A primeira parte das despesas, a franquia, fica a seu cargo.
    .told = Segundo a sua apólice, { $change } contam para a sua franquia, que paga antes de { $insurer } pagar.
    .part = a sua franquia
SHARE-COPAY = A sua apólice prevê um co-pagamento fixo.
    .told = A sua apólice prevê um co-pagamento fixo de { $change }.
    .part = o seu co-pagamento fixo
SHARE-COPAY-ONCE = A sua apólice prevê um co-pagamento fixo, uma só vez para todos os serviços de uma visita, de um dia ou de um ano.
    .told = A sua apólice prevê um co-pagamento fixo de { $change }, uma só vez para todos os serviços de uma visita, de um dia ou de um ano.
    .part = o seu co-pagamento fixo
SHARE-LEAST = A sua apólice deixa-lhe um valor mínimo a pagar, uma só vez para todos os serviços de uma visita, de um dia ou de um ano.
    .told = A sua apólice deixa-lhe pelo menos { $least } a pagar, uma só vez para todos os serviços de uma visita, de um dia ou de um ano; por isso a sua comparticipação é de { $after } em vez de { $before }.
    .part = o mínimo que a sua apólice lhe deixa a pagar
SHARE-RATE = Uma percentagem do valor reconhecido é a sua comparticipação.
    .told = Segundo a sua apólice, { $rate } de { $of }, ou seja, { $change }, são a sua comparticipação.
    .part = a sua comparticipação
SHARE-PAID = Isto é o que a seguradora assume antes de contar os plafonds.
    .told = { $how ->
        [whole] { $insurer } assume todo o valor reconhecido de { $before }.
        [own] Do valor reconhecido de { $before }, { $cost_share } são a sua comparticipação. { $insurer } assume { $after }.
        [rest] A sua seguradora de base paga { $base }. { $insurer } assume o resto do valor reconhecido de { $before }: { $after }.
        [offset] O que a sua seguradora de base paga, { $base }, conta primeiro para a sua comparticipação de { $cost_share }. { $insurer } assume { $after } do valor reconhecido de { $before }.
        [waive] Como a sua seguradora de base paga { $base }, { $insurer } não lhe pede comparticipação. Assume { $after } do valor reconhecido de { $before }.
       *[additive] A sua seguradora de base paga { $base }, e { $cost_share } são a sua comparticipação. { $insurer } assume o que sobra do valor reconhecido de { $before }: { $after }.
    }
SHARE-ROUNDED = A sua apólice arredonda o que paga.
    .told = { $insurer } arredonda o que paga a múltiplos de { $to }: { $after } em vez de { $before }.
    .part = o que a seguradora arredonda
SHARE-OUT-OF-POCKET = Atingiu o máximo que paga do seu bolso, por isso a seguradora paga mais.
    .told = Atingiu o máximo que paga do seu bolso («{ $limit }», faltavam { $left }), por isso { $insurer } paga { $after } em vez de { $before }.

## Limits and other insurers

LIMIT-REACHED = Um plafond da sua apólice foi atingido, por isso a seguradora paga menos.
    .told = O saldo do seu plafond «{ $limit }» era de { $left }, por isso { $insurer } paga { $after } em vez de { $before }.
    .part = acima do saldo do seu plafond
COB-REDUCED = Outra seguradora já pagou uma parte, por isso esta paga menos.
    .told = Outras seguradoras já pagaram { $paid_before } e ficam em aberto { $open }, por isso { $insurer } paga { $after } em vez de { $before }.
    .part = o que os pagamentos das seguradoras não chegam a cobrir

## The bill

BILL-TOTAL = O total da factura não é a soma das suas linhas. Contam as linhas.
BILL-CURRENCY = A factura está noutra moeda que não a da apólice de { $insurer }, por isso nada é pago.
    .part = a factura está noutra moeda que não a da sua apólice
BILL-EXCHANGED = A factura está noutra moeda; os seus valores foram convertidos ao câmbio do dia.
    .told = A factura está noutra moeda. Os seus valores foram convertidos ao câmbio de { $on }: { $one } equivale a { $worth }.
BILL-UNPRICED = A factura não indica preços, por isso nada foi calculado.
CODE-UNMAPPED = Um código desta factura ainda não é conhecido. Foi guardado e está a ser procurado; a sua factura não espera por isso.

## What the insurer said

INS-APPROVED = { $insurer } aprovou.
INS-ADJUSTED = { $insurer } fixou outro valor.
    .told = { $insurer } decidiu pagar { $after } em vez de { $before }.
    .part = o que a seguradora não paga por decisão própria
INS-REFUSED = { $insurer } recusou pagar.
    .told = { $insurer } recusou pagar. Segundo a apólice seriam { $before }.
    .part = a seguradora recusou pagar
INS-PENDED = { $insurer } decidirá mais tarde; até lá, os valores podem mudar.
INS-ASKED = { $insurer } fez uma pergunta ao prestador. A decisão aguarda a resposta.
INS-REMINDED = { $insurer } não decidiu dentro do prazo e recebeu um lembrete.
INS-SILENT = { $insurer } não respondeu a tempo.
INS-INVALID = A resposta de { $insurer } não pôde ser usada.
INS-STAND-IN = Não foi possível contactar { $insurer }, por isso esta resposta foi dada em seu lugar, como acordado. Pode confiar nela.
INS-OVER-STAND-IN = Não foi possível contactar { $insurer }, e o valor está acima do que se pode responder em seu lugar. A decisão ainda está por tomar.

## The message

RES-USED = O que ficou reservado para si na admissão foi usado.
RES-GONE = A reserva feita na admissão já tinha terminado, por isso esta factura foi calculada de novo.
MSG-CORRECTED = Factos conhecidos mais tarde alteraram esta decisão: foi tomada de novo.
MSG-APPEALED = O provedor contestou esta decisão. Mantém-se até a seguradora a reapreciar.
MSG-APPEAL-UPHELD = A seguradora reapreciou isto depois de uma contestação e mantém a sua decisão.
MSG-APPEAL-CHANGED = A seguradora reapreciou isto depois de uma contestação, e a decisão foi tomada de novo.
MSG-INACTIVE = O provedor marca isto como rascunho, como anulado ou como engano. Foi guardado e não tem efeito.
MSG-CANCELLED = O provedor retirou isto. Já não tem efeito.
MSG-NOT-FOUND = Não foi encontrado o que o provedor queria retirar.
MSG-FINAL = Isto já não pode ser retirado.

## What the clinical rules find.

CLIN-AGE = Este diagnóstico não costuma ocorrer na sua idade.
CLIN-SEX = Este diagnóstico não ocorre em pessoas do seu sexo.
CLIN-DIAGNOSIS = O diagnóstico não traz um código em vigor, ou não é suficientemente preciso.
CLIN-EXCLUDES = Dois dos diagnósticos não podem estar lado a lado: um exclui o outro.
CLIN-CODE-FIRST = Um diagnóstico aparece antes da doença que o causa.
CLIN-USE-ADDITIONAL = Um diagnóstico pede um segundo ao lado dele, que falta.
CLIN-INTERACTION = Dois dos medicamentos interagem entre si. Fale com o seu médico ou farmacêutico antes de os tomar juntos.
CLIN-INDICATION = Nenhum dos diagnósticos é daqueles para os quais este medicamento costuma ser dado.
CLIN-DUPLICATE = A mesma substância ativa aparece duas vezes, ou ainda a tem em casa noutro medicamento.
CLIN-DOSE = A dose de um dia está acima da maior prevista para este medicamento.
CLIN-DAYS-SUPPLY = A quantidade não corresponde à dose e aos dias que deve durar.
CLIN-UNITS = Foram indicadas mais unidades deste serviço num dia do que é provável.
CLIN-REFILL = Ainda deve ter o suficiente deste medicamento da última vez.
CLIN-ONCE = Isto só pode ser feito uma vez na vida, e já foi feito.
CLIN-PRESCRIPTION = A receita não é válida neste dia.
INS-REVISED = A sua seguradora voltou a analisar o caso por si própria e decidiu de novo; esta é a decisão posterior dela.
